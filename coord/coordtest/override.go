// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/router/override"
)

// OverrideSubject is a source of overrides and the hand of the operator who writes them.
type OverrideSubject struct {
	Source override.Source
	Set    func(override.Override) error
	Clear  func(override.Override) error
}

// Overrides tests a source of overrides. Open returns a new, empty one, which the suite
// closes.
func Overrides(t *testing.T, open func(t *testing.T) OverrideSubject) {
	for name, f := range map[string]func(*testing.T, OverrideSubject){
		"what was never forced is not":                          overridesNone,
		"an ejection holds until it is cleared":                 overridesEject,
		"a route's breaker goes before the service's":           overridesBreaker,
		"the newest for a target replaces the one before":       overridesReplace,
		"an override ends by itself":                            overridesEnd,
		"services are apart":                                    overridesApart,
		"updates tell of a begin and an end and end with Close": overridesUpdates,
		"what is out of bounds is refused and changes nothing":  overridesRefused,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Source.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			f(t, s)
		})
	}
}

func (s OverrideSubject) follow(t *testing.T, service string) override.Follower {
	t.Helper()
	f, err := s.Source.Follow(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := f.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return f
}

func (s OverrideSubject) set(t *testing.T, o override.Override) {
	t.Helper()
	if err := s.Set(o); err != nil {
		t.Fatal(err)
	}
}

func ejection(instance string) override.Override {
	return override.Override{Service: "orders", Kind: override.Eject, Instance: instance, State: override.Ejected,
		Reason: "disk is failing", By: "ada", For: time.Hour}
}

func breaker(route string, state override.State) override.Override {
	return override.Override{Service: "orders", Kind: override.Breaker, Route: route, State: state, For: time.Hour}
}

func overridesNone(t *testing.T, s OverrideSubject) {
	f := s.follow(t, "orders")
	if c := f.Current(); c.Ejected("a") != nil || c.Breaker("") != nil || c.Breaker("checkout") != nil || len(c.All()) != 0 {
		t.Errorf("%v", c.All())
	}
	if age := f.Age(); age < 0 || age > override.StaleAfter {
		t.Errorf("the overrides are %v old", age)
	}
	again, err := s.Source.Follow(t.Context(), "orders")
	if err != nil || again != f {
		t.Errorf("asked again: another follower, %v", err)
	}
}

func overridesEject(t *testing.T, s OverrideSubject) {
	f := s.follow(t, "orders")
	s.set(t, ejection("a"))
	Eventually(t, patience, func() bool { return f.Current().Ejected("a") != nil }, "a is ejected")
	if o := f.Current().Ejected("a"); *o != ejection("a") {
		t.Errorf("it reads as %v, want %+v", o, ejection("a"))
	}
	if o := f.Current().Ejected("b"); o != nil {
		t.Errorf("b is ejected too: %v", o)
	}
	if err := s.Clear(ejection("a")); err != nil {
		t.Fatal(err)
	}
	Eventually(t, patience, func() bool { return f.Current().Ejected("a") == nil }, "a is back")
	if err := s.Clear(ejection("a")); err != nil {
		t.Errorf("cleared twice: %v", err)
	}
}

func overridesBreaker(t *testing.T, s OverrideSubject) {
	f := s.follow(t, "orders")
	s.set(t, breaker("", override.Open))
	s.set(t, breaker("checkout", override.Closed))
	Eventually(t, patience, func() bool { return len(f.Current().All()) == 2 }, "two breakers are forced")
	for route, want := range map[string]override.State{"": override.Open, "cart": override.Open, "checkout": override.Closed} {
		if o := f.Current().Breaker(route); o == nil || o.State != want {
			t.Errorf("the breaker of route %q: %v, want %s", route, o, want)
		}
	}
}

func overridesReplace(t *testing.T, s OverrideSubject) {
	f := s.follow(t, "orders")
	for _, state := range []override.State{override.Open, override.Closed, override.Open} {
		s.set(t, breaker("", state))
		Eventually(t, patience, func() bool { o := f.Current().Breaker(""); return o != nil && o.State == state }, "the breaker is %s", state)
	}
}

func overridesEnd(t *testing.T, s OverrideSubject) {
	f := s.follow(t, "orders")
	short := ejection("a")
	short.For = 2 * time.Second // etcd's least
	s.set(t, short)
	s.set(t, ejection("b"))
	Eventually(t, patience, func() bool { return len(f.Current().All()) == 2 }, "a and b are ejected")
	Eventually(t, patience, func() bool { return f.Current().Ejected("a") == nil }, "a is back by itself")
	if f.Current().Ejected("b") == nil {
		t.Error("b came back too")
	}
}

func overridesApart(t *testing.T, s OverrideSubject) {
	orders, other := s.follow(t, "orders"), s.follow(t, "orders-2")
	s.set(t, ejection("a"))
	Eventually(t, patience, func() bool { return orders.Current().Ejected("a") != nil }, "a is ejected")
	if all := other.Current().All(); len(all) != 0 {
		t.Errorf("another service has %v", all)
	}
}

func overridesUpdates(t *testing.T, s OverrideSubject) {
	f := s.follow(t, "orders")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, stays := f.Updates(ctx), f.Updates(t.Context())
	mark(t, stays, "what was loaded")
	s.set(t, ejection("a"))
	mark(t, stays, "an ejection")
	if err := s.Clear(ejection("a")); err != nil {
		t.Fatal(err)
	}
	mark(t, stays, "its end")
	cancel()
	drained(t, ended, "its context")
	if err := s.Source.Close(); err != nil {
		t.Fatal(err)
	}
	drained(t, stays, "the source")
}

func overridesRefused(t *testing.T, s OverrideSubject) {
	f := s.follow(t, "orders")
	for name, change := range map[string]func(*override.Override){
		"no time":          func(o *override.Override) { o.For = 0 },
		"too short":        func(o *override.Override) { o.For = override.MinFor - 1 },
		"too long":         func(o *override.Override) { o.For = override.MaxFor + time.Second },
		"part of a second": func(o *override.Override) { o.For = 1500 * time.Millisecond },
		"another state":    func(o *override.Override) { o.State = override.Open },
		"another kind":     func(o *override.Override) { o.Kind = "drain" },
		"a route too":      func(o *override.Override) { o.Route = "checkout" },
		"a long reason":    func(o *override.Override) { o.Reason = string(make([]byte, 1025)) },
		"a long author":    func(o *override.Override) { o.By = string(make([]byte, 1025)) },
	} {
		o := ejection("a")
		change(&o)
		if err := s.Set(o); err == nil {
			t.Errorf("%s: was taken", name)
		} else if refused, ok := errors.AsType[*override.Error](err); !ok || refused.Field == "" || refused.Value == "" || refused.Want == "" {
			t.Errorf("%s: %v, want an error that names field, value and limit", name, err)
		}
	}
	for name, change := range map[string]func(*override.Override){
		"no service":    func(o *override.Override) { o.Service = "" },
		"a path":        func(o *override.Override) { o.Instance = "a/b" },
		"no instance":   func(o *override.Override) { o.Instance = "" },
		"a bad service": func(o *override.Override) { o.Service = "a/b" },
	} {
		o := ejection("a")
		change(&o)
		err := s.Set(o)
		if _, ok := errors.AsType[*coord.NameError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
		err = s.Clear(o)
		if _, ok := errors.AsType[*coord.NameError](err); !ok {
			t.Errorf("%s, to clear: %v", name, err)
		}
	}
	if all := f.Current().All(); len(all) != 0 {
		t.Errorf("it has %v", all)
	}
	_, err := s.Source.Follow(t.Context(), "a/b")
	if _, ok := errors.AsType[*coord.NameError](err); !ok {
		t.Errorf("a bad name: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Source.Follow(over, "carts"); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	if err := s.Source.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Source.Follow(t.Context(), "orders"); !errors.Is(err, override.ErrClosed) {
		t.Errorf("a closed source: %v", err)
	}
}
