// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/signal"
)

// SignalSubject is a source of signals and the hand of the collectors that write
// them.
type SignalSubject struct {
	Source signal.Source
	Put    func(share *signal.Share) error       // writes a share
	Delete func(service, collector string) error // as when the collector's lease ends
}

// Signals tests a source of signals. Open returns a new, empty one, which the suite
// closes.
func Signals(t *testing.T, open func(t *testing.T) SignalSubject) {
	for name, f := range map[string]func(*testing.T, SignalSubject){
		"without collectors a service's fleet is empty": signalsEmpty,
		"what collectors say is merged, and replaced":   signalsMerge,
		"who goes takes what it said along":             signalsDelete,
		"services are apart":                            signalsApart,
		"updates tell of changes and end with Close":    signalsUpdates,
		"bad names and closed sources are refused":      signalsRefused,
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

// say writes what a collector heard of an instance from one caller.
func (s SignalSubject) say(t *testing.T, collector, instance, caller string, requests, failures uint64) {
	t.Helper()
	err := s.Put(&signal.Share{Service: "orders", Collector: collector, Shards: 1, Instances: []signal.Instance{{
		ID: instance,
		Evidence: signal.Evidence{Seconds: 1, Requests: requests, Failures: failures,
			Callers: []signal.Caller{{Hash: signal.HashCaller(caller), Requests: requests, Failures: failures}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

func (s SignalSubject) follow(t *testing.T, service string) signal.Follower {
	t.Helper()
	f, err := s.Source.Service(t.Context(), service)
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

// seen waits until the fleet saw so many requests of an instance; of none when it is
// to be unknown.
func seen(t *testing.T, f signal.Follower, instance string, requests uint64) {
	t.Helper()
	Eventually(t, patience, func() bool {
		fleet := f.Fleet()
		if fleet == nil {
			return false
		}
		in := fleet.Instances[instance]
		if in == nil {
			return requests == 0
		}
		return in.Evidence.Requests == requests
	}, "%d requests of %s", requests, instance)
}

func signalsEmpty(t *testing.T, s SignalSubject) {
	f := s.follow(t, "orders")
	if fleet := f.Fleet(); fleet == nil || len(fleet.Instances) != 0 {
		t.Errorf("fleet %+v", fleet)
	}
	if age := f.Age(); age < 0 || age > signal.MaxAge {
		t.Errorf("the signals are %v old", age)
	}
	again, err := s.Source.Service(t.Context(), "orders")
	if err != nil || again != f {
		t.Errorf("asked again: another follower, %v", err)
	}
}

func signalsMerge(t *testing.T, s SignalSubject) {
	f := s.follow(t, "orders")
	s.say(t, "east", "a", "service:x", 20, 15)
	seen(t, f, "a", 20)
	s.say(t, "west", "a", "service:y", 30, 25)
	seen(t, f, "a", 50)
	if v := f.Fleet().Instances["a"].Verdict; v.State != signal.Bad {
		t.Errorf("two callers saw it bad, verdict %v", v)
	}
	s.say(t, "east", "a", "service:x", 40, 0)
	seen(t, f, "a", 70)
}

func signalsDelete(t *testing.T, s SignalSubject) {
	f := s.follow(t, "orders")
	s.say(t, "east", "a", "service:x", 20, 0)
	s.say(t, "west", "a", "service:y", 30, 0)
	seen(t, f, "a", 50)
	if err := s.Delete("orders", "east"); err != nil {
		t.Fatal(err)
	}
	seen(t, f, "a", 30)
	if err := s.Delete("orders", "west"); err != nil {
		t.Fatal(err)
	}
	seen(t, f, "a", 0)
}

func signalsApart(t *testing.T, s SignalSubject) {
	orders, other := s.follow(t, "orders"), s.follow(t, "orders-2")
	s.say(t, "east", "a", "service:x", 20, 0)
	seen(t, orders, "a", 20)
	if fleet := other.Fleet(); len(fleet.Instances) != 0 {
		t.Errorf("another service has %v", fleet.Instances)
	}
}

func signalsUpdates(t *testing.T, s SignalSubject) {
	f := s.follow(t, "orders")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, stays := f.Updates(ctx), f.Updates(t.Context())
	mark(t, stays, "a loaded fleet")
	s.say(t, "east", "a", "service:x", 20, 0)
	mark(t, stays, "a share")
	cancel()
	drained(t, ended, "its context")
	if err := s.Source.Close(); err != nil {
		t.Fatal(err)
	}
	drained(t, stays, "the source")
}

func signalsRefused(t *testing.T, s SignalSubject) {
	_, err := s.Source.Service(t.Context(), "a/b")
	if _, ok := errors.AsType[*coord.NameError](err); !ok {
		t.Errorf("a bad name: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Source.Service(ended, "orders"); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	late, cancelLate := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancelLate()
	if _, err := s.Source.Service(late, "orders"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a context that is late: %v", err)
	}
	if err := s.Source.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Source.Service(t.Context(), "orders"); !errors.Is(err, signal.ErrClosed) {
		t.Errorf("a closed source: %v", err)
	}
}
