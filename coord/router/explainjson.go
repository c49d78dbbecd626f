// SPDX-License-Identifier: Apache-2.0

package router

import (
	"encoding/json"
	"time"

	"github.com/otelplat/platform/coord/router/acts"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
)

// What follows is the form of explanations as JSON. Programs read it: fields are added, and
// never change.

type explanationJSON struct {
	Service   string         `json:"service"`
	Document  documentJSON   `json:"document"`
	Policy    string         `json:"policy"`
	Routes    []stepJSON     `json:"routes"`
	Decisions []decisionJSON `json:"decisions"`
	Breakers  []breakerJSON  `json:"breakers"`
	Instances []Choice       `json:"instances"`
	Panic     bool           `json:"panic"`
	Zone      string         `json:"zone,omitempty"`
	Stays     *float64       `json:"zone_share,omitempty"`
	Overrides []overrideJSON `json:"overrides"`
	Signals   signalsJSON    `json:"signals"`
	Own       ownJSON        `json:"own"`
	Acts      []acts.Act     `json:"own_acts"` // of this router
}

type documentJSON struct {
	Revision int64  `json:"revision"` // 0: the defaults
	Refused  string `json:"refused,omitempty"`
}

type signalsJSON struct {
	Heeded bool    `json:"heeded"`
	Age    float64 `json:"age_seconds"`
}

type ownJSON struct {
	Requests uint64  `json:"requests"`
	Extra    uint64  `json:"retries_and_hedges"`
	Attempts uint64  `json:"attempts"`
	Failures uint64  `json:"failures"`
	P50      float64 `json:"p50_seconds"`
	P99      float64 `json:"p99_seconds"`
}

type stepJSON struct {
	Route  string     `json:"route"`
	Misses string     `json:"misses,omitempty"`
	Share  float64    `json:"share"`
	Arms   []partJSON `json:"arms,omitempty"`
}

type partJSON struct {
	Variant string  `json:"variant"`
	Share   float64 `json:"share"`
}

type decisionJSON struct {
	Route      string       `json:"route,omitempty"`
	Variant    string       `json:"variant,omitempty"`
	Share      float64      `json:"share"`
	Admit      float64      `json:"admit"`
	Settings   settingsJSON `json:"settings"`
	Repeatable bool         `json:"repeatable"`
	Instances  []string     `json:"instances"`
	Fallback   bool         `json:"fallback,omitempty"`
}

// settingsJSON are settings in the words of a document.
type settingsJSON struct {
	Timeout string `json:"timeout"`
	Retry   struct {
		Attempts      int      `json:"attempts"`
		PerTryTimeout string   `json:"per_try_timeout"`
		On            []string `json:"on"`
		Methods       []string `json:"methods"`
		Budget        float64  `json:"budget"`
		Min           int      `json:"min"`
	} `json:"retry"`
	Hedge struct {
		After float64 `json:"after"`
		Max   int     `json:"max"`
	} `json:"hedge"`
	Breaker struct {
		Mode     rules.Mode `json:"mode"`
		Ratio    float64    `json:"ratio"`
		Requests int        `json:"requests"`
	} `json:"breaker"`
}

type breakerJSON struct {
	Route      string        `json:"route,omitempty"`
	Mode       rules.Mode    `json:"mode"`
	State      string        `json:"state"`
	Admit      float64       `json:"admit"`
	Rule       string        `json:"rule"`
	Why        string        `json:"why"`
	Requests   uint64        `json:"requests"`
	Failures   uint64        `json:"failures"`
	Callers    int           `json:"callers"`
	BadCallers int           `json:"bad_callers"`
	Episode    int           `json:"episode"`
	Thresholds thresholds    `json:"thresholds"`
	Forced     *overrideJSON `json:"forced,omitempty"`
}

type thresholds struct {
	Ratio    float64 `json:"ratio"`
	Requests uint64  `json:"requests"`
	Quorum   int     `json:"quorum"`
}

type overrideJSON struct {
	Target string         `json:"target"`
	State  override.State `json:"state"`
	Reason string         `json:"reason,omitempty"`
	By     string         `json:"by,omitempty"`
	For    float64        `json:"for_seconds"`
}

type choiceJSON struct {
	Instance string            `json:"instance"`
	Version  string            `json:"version,omitempty"`
	Zone     string            `json:"zone,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	State    State             `json:"state"`
	Reason   string            `json:"reason,omitempty"`
	Weight   float64           `json:"weight"`
	Latency  float64           `json:"latency_seconds,omitempty"`
	InFlight int               `json:"in_flight"`
	Episode  int               `json:"episode,omitempty"`
	Hold     float64           `json:"hold_seconds,omitempty"`
	Capacity *capacityJSON     `json:"capacity,omitempty"`
	Load     *loadJSON         `json:"load,omitempty"`
	Forced   *overrideJSON     `json:"forced,omitempty"`
	Verdict  *verdictJSON      `json:"verdict,omitempty"`
	Vouched  bool              `json:"vouched,omitempty"`
}

type capacityJSON struct {
	Demand      float64 `json:"demand_seconds"`
	Parallelism float64 `json:"parallelism"`
}

type loadJSON struct {
	InFlight int     `json:"in_flight"`
	Latency  float64 `json:"latency_seconds,omitempty"`
	Age      float64 `json:"age_seconds"`
}

type verdictJSON struct {
	State      string  `json:"state"`
	Weight     float64 `json:"weight"`
	Callers    int     `json:"callers"`
	BadCallers int     `json:"bad_callers"`
	Requests   uint64  `json:"requests"`
	Failures   uint64  `json:"failures"`
}

// MarshalJSON implements [json.Marshaler].
func (e Explanation) MarshalJSON() ([]byte, error) {
	j := explanationJSON{
		Service: e.Service, Document: documentJSON{Revision: e.Document.Revision}, Policy: e.Policy,
		Routes: []stepJSON{}, Decisions: []decisionJSON{}, Breakers: []breakerJSON{}, Instances: append([]Choice{}, e.Choices...),
		Panic: e.Panic, Zone: e.Zone, Overrides: []overrideJSON{},
		Signals: signalsJSON{e.Signals, seconds(e.SignalsAge)},
		Own: ownJSON{
			e.Own.Requests, e.Own.Extra, e.Own.Attempts, e.Own.Failures, quantile(&e.Own.Latency, 0.5), quantile(&e.Own.Latency, 0.99),
		},
		Acts: append([]acts.Act{}, e.Acts...),
	}
	if e.Document.Err != nil {
		j.Document.Refused = e.Document.Err.Error()
	}
	if e.Zone != "" {
		j.Stays = &e.Stays
	}
	for _, s := range e.Steps {
		step := stepJSON{Route: s.Route, Misses: s.Misses, Share: s.Share}
		for _, a := range s.Arms {
			step.Arms = append(step.Arms, partJSON(a))
		}
		j.Routes = append(j.Routes, step)
	}
	for i := range e.Decisions {
		d := &e.Decisions[i]
		j.Decisions = append(j.Decisions, decisionJSON{
			d.Route, d.Variant, d.Share, d.Admit, newSettingsJSON(&d.Settings), d.Repeatable, append([]string{}, d.Instances...), d.Fallback,
		})
	}
	for i := range e.Breakers {
		b := &e.Breakers[i]
		j.Breakers = append(j.Breakers, breakerJSON{
			b.Route, b.Mode, b.State.String(), b.Admit, b.Rule, b.Why, b.Requests, b.Failures, b.Callers, b.BadCallers, b.Episode,
			thresholds{b.Ratio, b.MinRequests, b.Quorum}, newOverrideJSON(b.Forced),
		})
	}
	for i := range e.Overrides {
		j.Overrides = append(j.Overrides, *newOverrideJSON(&e.Overrides[i]))
	}
	return json.Marshal(j)
}

// MarshalJSON implements [json.Marshaler].
func (c Choice) MarshalJSON() ([]byte, error) {
	j := choiceJSON{
		Instance: c.Member.ID, Version: c.Member.Version, Zone: c.Member.Zone, Labels: c.Member.Labels, State: c.State, Reason: c.Reason,
		Weight: c.Weight, Latency: seconds(c.Latency), InFlight: c.InFlight, Episode: c.Episode, Hold: seconds(c.Hold),
		Forced: newOverrideJSON(c.Forced), Vouched: c.Vouched,
	}
	if c.Capacity.Known() {
		j.Capacity = &capacityJSON{seconds(c.Capacity.Demand), c.Capacity.Parallelism}
	}
	if c.Load != nil {
		j.Load = &loadJSON{c.Load.InFlight, seconds(c.Load.Latency), seconds(c.LoadAge)}
	}
	if v := c.Verdict; v != nil {
		j.Verdict = &verdictJSON{v.State.String(), v.Weight, v.Callers, v.BadCallers, v.Requests, v.Failures}
	}
	return json.Marshal(j)
}

func newOverrideJSON(o *override.Override) *overrideJSON {
	if o == nil {
		return nil
	}
	return &overrideJSON{o.Target(), o.State, o.Reason, o.By, seconds(o.For)}
}

func newSettingsJSON(s *rules.Settings) (j settingsJSON) {
	j.Timeout = s.Timeout.String()
	r := &j.Retry
	r.Attempts, r.PerTryTimeout = s.Retry.Attempts, s.Retry.PerTryTimeout.String()
	r.On, r.Methods = append([]string{}, s.Retry.On...), append([]string{}, s.Retry.Methods...)
	r.Budget, r.Min = s.Retry.Budget, s.Retry.Min
	j.Hedge.After, j.Hedge.Max = s.Hedge.After, s.Hedge.Max
	j.Breaker.Mode, j.Breaker.Ratio, j.Breaker.Requests = s.Breaker.Mode, s.Breaker.Ratio, s.Breaker.Requests
	return j
}

func quantile(h *signal.Histogram, q float64) float64 {
	return seconds(time.Duration(h.Quantile(q) * float64(time.Second)))
}

// seconds rounds to microseconds: more would be made up.
func seconds(d time.Duration) float64 { return d.Round(time.Microsecond).Seconds() }
