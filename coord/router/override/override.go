// SPDX-License-Identifier: Apache-2.0

package override

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/otelplat/platform/coord"
)

// Limits of an override.
const (
	MinFor = time.Second
	MaxFor = 24 * time.Hour

	maxText = 1024 // bytes of a reason, of who gave it
)

// Kind says what is forced.
type Kind string

// The kinds.
const (
	Eject   Kind = "eject"   // an instance is out of rotation
	Breaker Kind = "breaker" // of a service or a route
)

// State is what it is forced to.
type State string

// The states.
const (
	Ejected State = "ejected" // of an instance
	Open    State = "open"    // of a breaker: nothing passes
	Closed  State = "closed"  // of a breaker: everything passes
)

// Override is what an operator forces for a while.
type Override struct {
	Service  string
	Kind     Kind
	Instance string // of an ejection
	Route    string // of a breaker; "" is the service's own
	State    State
	Reason   string // why, for people
	By       string // who, as the operator says

	// For is how long it holds, in whole seconds, [MinFor] to [MaxFor].
	For time.Duration
}

// Error says which field of an override was refused and what it may hold.
type Error struct {
	Field string
	Value string
	Want  string
}

func (e *Error) Error() string {
	return fmt.Sprintf("override: %s is %s, want %s", e.Field, e.Value, e.Want)
}

// Target names what is forced, within its service: eject.<instance>, breaker or
// breaker.<route>. It is the last part of the key.
func (o *Override) Target() string {
	switch {
	case o.Kind == Eject:
		return "eject." + o.Instance
	case o.Route != "":
		return "breaker." + o.Route
	}
	return "breaker"
}

// Prefix returns the prefix of all overrides of a service, below the namespace's prefix.
func Prefix(service string) string { return "route/" + service + "/" }

// check refuses what no reader takes.
func (o *Override) check() error {
	if err := o.checkTarget(); err != nil {
		return err
	}
	want := "ejected"
	if o.Kind == Breaker {
		want = "open or closed"
	}
	switch {
	case o.Kind == Eject && o.State != Ejected, o.Kind == Breaker && o.State != Open && o.State != Closed:
		return &Error{"state", shown(string(o.State)), want}
	case o.For < MinFor || o.For > MaxFor || o.For%time.Second != 0:
		return &Error{"duration", o.For.String(), fmt.Sprintf("whole seconds, %v to %v", MinFor, MaxFor)}
	case len(o.Reason) > maxText:
		return &Error{"reason", strconv.Itoa(len(o.Reason)) + " bytes", fmt.Sprintf("at most %d", maxText)}
	case len(o.By) > maxText:
		return &Error{"by", strconv.Itoa(len(o.By)) + " bytes", fmt.Sprintf("at most %d", maxText)}
	}
	return nil
}

// checkTarget refuses what has no key.
func (o *Override) checkTarget() error {
	if err := coord.CheckName("service", o.Service); err != nil {
		return err
	}
	switch o.Kind {
	case Eject:
		if o.Route != "" {
			return &Error{"route", shown(o.Route), "none for an ejection"}
		}
		return coord.CheckName("instance", o.Instance)
	case Breaker:
		if o.Instance != "" {
			return &Error{"instance", shown(o.Instance), "none for a breaker"}
		}
		if o.Route != "" {
			return coord.CheckName("route", o.Route)
		}
		return nil
	}
	return &Error{"kind", shown(string(o.Kind)), "eject or breaker"}
}

func shown(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strconv.Quote(s)
}

// formatVersion is the version of the value's JSON.
const formatVersion = 1

type value struct {
	V        int    `json:"v"`
	Kind     Kind   `json:"kind"`
	Instance string `json:"instance,omitempty"`
	Route    string `json:"route,omitempty"`
	State    State  `json:"state"`
	Reason   string `json:"reason,omitempty"`
	By       string `json:"by,omitempty"`
	For      int64  `json:"for_s"`
}

func encode(o *Override) ([]byte, error) {
	return json.Marshal(value{formatVersion, o.Kind, o.Instance, o.Route, o.State, o.Reason, o.By, int64(o.For / time.Second)})
}

// decode reads the value of a target and checks that it is where it says it belongs.
func decode(service, target string, raw []byte) (Override, error) {
	var v value
	if err := json.Unmarshal(raw, &v); err != nil {
		return Override{}, fmt.Errorf("override: %w", err)
	}
	if v.V != formatVersion {
		return Override{}, fmt.Errorf("override: of format version %d, this program reads %d", v.V, formatVersion)
	}
	if v.For < 0 || v.For > int64(MaxFor/time.Second) {
		return Override{}, &Error{"for_s", strconv.FormatInt(v.For, 10), fmt.Sprintf("1 to %d", int64(MaxFor/time.Second))}
	}
	o := Override{service, v.Kind, v.Instance, v.Route, v.State, v.Reason, v.By, time.Duration(v.For) * time.Second}
	if err := o.check(); err != nil {
		return Override{}, err
	}
	if o.Target() != target {
		return Override{}, fmt.Errorf("override: of %s under %s", o.Target(), shown(target))
	}
	return o, nil
}

// String says an override in words.
func (o *Override) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s is %s for %v", o.Target(), o.Service, o.State, o.For)
	if o.By != "" {
		b.WriteString(", by " + o.By)
	}
	if o.Reason != "" {
		b.WriteString(": " + o.Reason)
	}
	return b.String()
}
