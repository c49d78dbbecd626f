// SPDX-License-Identifier: Apache-2.0

package acts

import (
	"encoding/json"
	"time"
)

// What follows is the form of acts as JSON. Programs read it: fields are added, and never
// change. Durations are seconds.

type actJSON struct {
	ID         string      `json:"id"`
	At         time.Time   `json:"at"`
	Event      string      `json:"event"`
	Observed   bool        `json:"observed,omitempty"`
	Service    string      `json:"service"`
	Instance   string      `json:"instance,omitempty"`
	Variant    string      `json:"variant,omitempty"`
	Zone       string      `json:"zone,omitempty"`
	Route      string      `json:"route,omitempty"`
	Rule       string      `json:"rule,omitempty"`
	Why        string      `json:"why,omitempty"`
	Figures    []Figure    `json:"figures"`
	Callers    int         `json:"callers"`
	BadCallers int         `json:"bad_callers"`
	Hold       float64     `json:"hold_seconds,omitempty"`
	Episode    int         `json:"episode,omitempty"`
	Instances  int         `json:"in_service,omitempty"`
	Rotation   *int        `json:"in_rotation,omitempty"` // with in_service
	Effect     *effectJSON `json:"effect"`                // null while it is not known
}

type effectJSON struct {
	Before sideJSON `json:"before"`
	After  sideJSON `json:"after"`
}

type sideJSON struct {
	Errors   float64 `json:"error_ratio"`
	P99      float64 `json:"p99_seconds"`
	Requests uint64  `json:"requests"`
}

type foldedJSON struct {
	actJSON
	Stored  time.Time `json:"stored"`
	By      []string  `json:"by"`
	Effects int       `json:"effects"`
}

func (a *Act) json() actJSON {
	j := actJSON{
		ID: a.ID, At: a.At, Event: a.Event, Observed: a.Observed, Service: a.Service, Instance: a.Instance, Variant: a.Variant,
		Zone: a.Zone, Route: a.Route, Rule: a.Rule, Why: a.Why, Figures: append([]Figure{}, a.Figures...),
		Callers: a.Callers, BadCallers: a.BadCallers, Hold: seconds(a.Hold), Episode: a.Episode, Instances: a.Instances,
	}
	if a.Instances > 0 {
		j.Rotation = &a.Rotation
	}
	if e := a.Effect; e != nil {
		j.Effect = &effectJSON{
			sideJSON{e.ErrorsBefore, seconds(e.P99Before), e.RequestsBefore},
			sideJSON{e.ErrorsAfter, seconds(e.P99After), e.RequestsAfter},
		}
	}
	return j
}

// seconds rounds to microseconds: more would be made up.
func seconds(d time.Duration) float64 { return d.Round(time.Microsecond).Seconds() }

// MarshalJSON implements [json.Marshaler].
func (a Act) MarshalJSON() ([]byte, error) { return json.Marshal(a.json()) }

// MarshalJSON implements [json.Marshaler].
func (f Folded) MarshalJSON() ([]byte, error) {
	return json.Marshal(foldedJSON{f.json(), f.Stored, append([]string{}, f.By...), f.Effects})
}
