// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/otelplat/semconv"
)

// RulesSubject is a source of routing documents and the hand of who writes them.
type RulesSubject struct {
	Source rules.Source
	Put    func(service string, document []byte) error // writes the next revision
	Delete func(service string) error
}

// Rules tests a source of routing documents, whose router has the policy "ours" of its own.
// Open returns a new, empty one, which the suite closes.
func Rules(t *testing.T, open func(t *testing.T) RulesSubject) {
	for name, f := range map[string]func(*testing.T, RulesSubject){
		"without a document the defaults hold":               rulesNone,
		"a document holds, and the next one":                 rulesApply,
		"a bad document changes nothing and says why":        rulesRefuse,
		"a bad first document leaves the defaults":           rulesBadFirst,
		"without the document the defaults hold again":       rulesDelete,
		"the router's own policy is known, another's is not": rulesPolicy,
		"services are apart":                                 rulesApart,
		"updates tell of changes and end with Close":         rulesUpdates,
		"bad names and closed sources are refused":           rulesRefused,
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

func (s RulesSubject) follow(t *testing.T, service string) rules.Follower {
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

func (s RulesSubject) put(t *testing.T, document string) {
	t.Helper()
	if err := s.Put("orders", []byte(document)); err != nil {
		t.Fatal(err)
	}
}

// policy waits until a policy is in force.
func policy(t *testing.T, f rules.Follower, want string) {
	t.Helper()
	Eventually(t, patience, func() bool { return f.Table().Service().Policy.Name == want }, "the policy %s", want)
}

// refusal waits until a document is refused, and returns why.
func refusal(t *testing.T, f rules.Follower) *rules.RefusedError {
	t.Helper()
	Eventually(t, patience, func() bool { return f.State().Err != nil }, "a refusal")
	refused, ok := errors.AsType[*rules.RefusedError](f.State().Err)
	if !ok {
		t.Fatalf("the state's error is %v", f.State().Err)
	}
	return refused
}

func rulesNone(t *testing.T, s RulesSubject) {
	f := s.follow(t, "orders")
	if f.Table().Service().Policy.Name != rules.Adaptive || len(f.Table().Routes()) != 0 {
		t.Errorf("%+v", f.Table().Service())
	}
	if state := f.State(); state.Revision != 0 || state.Err != nil || state.Age < 0 || state.Age > patience {
		t.Errorf("%+v", state)
	}
	again, err := s.Source.Follow(t.Context(), "orders")
	if err != nil || again != f {
		t.Errorf("asked again: another follower, %v", err)
	}
}

func rulesApply(t *testing.T, s RulesSubject) {
	f := s.follow(t, "orders")
	s.put(t, "policy: {name: prequal}")
	policy(t, f, rules.Prequal)
	s.put(t, `{"policy": {"name": "weighted"}}`)
	policy(t, f, rules.Weighted)
	if state := f.State(); state.Revision != 2 || state.Err != nil {
		t.Errorf("%+v", state)
	}
}

func rulesRefuse(t *testing.T, s RulesSubject) {
	events := Events(t)
	f := s.follow(t, "orders")
	s.put(t, "policy: {name: prequal}")
	policy(t, f, rules.Prequal)
	s.put(t, "policy: {name: weighted}\npanic: 2")
	refused := refusal(t, f)
	why, ok := errors.AsType[*rules.Error](refused)
	if !ok || why.Field != "panic" || why.Line != 2 || refused.Service != "orders" || refused.Revision != 2 {
		t.Errorf("%v", refused)
	}
	if f.Table().Service().Policy.Name != rules.Prequal || f.State().Revision != 1 {
		t.Errorf("in force: %+v, %+v", f.Table().Service().Policy, f.State())
	}
	events.Wait(t, semconv.EventConfigRefuse, "panic")
	s.put(t, "policy: {name: weighted}")
	policy(t, f, rules.Weighted)
	if state := f.State(); state.Err != nil || state.Revision != 3 {
		t.Errorf("after a good one: %+v", state)
	}
	events.Wait(t, semconv.EventConfigApply, "route.orders")
}

func rulesBadFirst(t *testing.T, s RulesSubject) {
	s.put(t, "polcy: {}")
	f := s.follow(t, "orders")
	if why := refusal(t, f); why.Revision != 1 {
		t.Errorf("%v", why)
	}
	if f.Table().Service().Policy.Name != rules.Adaptive || f.State().Revision != 0 {
		t.Errorf("in force: %+v, %+v", f.Table().Service().Policy, f.State())
	}
}

func rulesDelete(t *testing.T, s RulesSubject) {
	f := s.follow(t, "orders")
	s.put(t, "policy: {name: prequal}")
	policy(t, f, rules.Prequal)
	if err := s.Delete("orders"); err != nil {
		t.Fatal(err)
	}
	policy(t, f, rules.Adaptive)
	s.put(t, "policy: {name: prequal}")
	policy(t, f, rules.Prequal)
}

func rulesPolicy(t *testing.T, s RulesSubject) {
	f := s.follow(t, "orders")
	s.put(t, "policy: {name: ours}")
	policy(t, f, "ours")
	s.put(t, "policy: {name: theirs}")
	if why := refusal(t, f); f.Table().Service().Policy.Name != "ours" {
		t.Errorf("%v, in force: %+v", why, f.Table().Service().Policy)
	}
}

func rulesApart(t *testing.T, s RulesSubject) {
	orders, other := s.follow(t, "orders"), s.follow(t, "orders-2")
	s.put(t, "policy: {name: prequal}")
	policy(t, orders, rules.Prequal)
	if name := other.Table().Service().Policy.Name; name != rules.Adaptive {
		t.Errorf("another service has the policy %s", name)
	}
}

func rulesUpdates(t *testing.T, s RulesSubject) {
	f := s.follow(t, "orders")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, stays := f.Updates(ctx), f.Updates(t.Context())
	mark(t, stays, "what was loaded")
	s.put(t, "policy: {name: prequal}")
	mark(t, stays, "a document")
	s.put(t, "nothing: good")
	mark(t, stays, "a bad document")
	cancel()
	drained(t, ended, "its context")
	if err := s.Source.Close(); err != nil {
		t.Fatal(err)
	}
	drained(t, stays, "the source")
	if f.Table() == nil {
		t.Error("with the source closed there is no table")
	}
}

func rulesRefused(t *testing.T, s RulesSubject) {
	long := strings.Repeat("a", coord.MaxNameLength) // too long for its document's name
	for _, name := range []string{"", "a/b", long} {
		_, err := s.Source.Follow(t.Context(), name)
		if _, ok := errors.AsType[*coord.NameError](err); !ok {
			t.Errorf("the name %q: %v", name, err)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Source.Follow(over, "carts"); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	if err := s.Source.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Source.Follow(t.Context(), "orders"); !errors.Is(err, rules.ErrClosed) {
		t.Errorf("a closed source: %v", err)
	}
}
