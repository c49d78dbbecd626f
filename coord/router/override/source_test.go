// SPDX-License-Identifier: Apache-2.0

package override_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/otelplat/semconv"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func TestConformanceOfMemory(t *testing.T) {
	coordtest.Overrides(t, func(*testing.T) coordtest.OverrideSubject {
		s := override.Memory()
		return coordtest.OverrideSubject{Source: s, Set: s.Set, Clear: s.Clear}
	})
}

func TestServicesAreBounded(t *testing.T) {
	s := override.Memory()
	defer s.Close()
	for i := range 1000 {
		if _, err := s.Follow(t.Context(), fmt.Sprint("s", i)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Follow(t.Context(), "more")
	if tooMany, ok := errors.AsType[*override.TooManyError](err); !ok || tooMany.Limit != 1000 || tooMany.Service != "more" {
		t.Errorf("%v", err)
	}
}

func TestConformanceOfEtcd(t *testing.T) {
	server := coordtest.Etcd(t)
	coordtest.Overrides(t, func(t *testing.T) coordtest.OverrideSubject {
		c := coordtest.Client(t, server)
		return coordtest.OverrideSubject{
			Source: override.Etcd(c),
			Set: func(o override.Override) error {
				_, err := override.Set(t.Context(), c, o)
				return err
			},
			Clear: func(o override.Override) error {
				_, err := override.Clear(t.Context(), c, o)
				return err
			},
		}
	})
}

func eject(instance string, d time.Duration) override.Override {
	return override.Override{Service: "orders", Kind: override.Eject, Instance: instance, State: override.Ejected, By: "ada", For: d}
}

func TestListTellsWhatHoldsAndForHowLong(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	set := func(o override.Override) {
		t.Helper()
		held, err := override.Set(t.Context(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		if held.For != o.For {
			t.Errorf("%v holds for %v", o.String(), held.For)
		}
	}
	set(eject("b", time.Hour))
	set(eject("a", time.Minute))
	set(override.Override{Service: "carts", Kind: override.Breaker, Route: "checkout", State: override.Open, For: override.MaxFor})
	// What no reader takes is not there for List either.
	if _, err := c.Etcd().Put(t.Context(), c.Key("route", "orders", "breaker"), `{"v":2}`); err != nil {
		t.Fatal(err)
	}
	all, err := override.List(t.Context(), c, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"carts breaker.checkout", "orders eject.a", "orders eject.b"}
	if len(all) != len(want) {
		t.Fatalf("%v, want %v", all, want)
	}
	for i, l := range all {
		if got := l.Service + " " + l.Target(); got != want[i] {
			t.Errorf("%d: %s, want %s", i, got, want[i])
		}
		if l.Left > l.For || l.Left < l.For-patience {
			t.Errorf("%s: %v left of %v", want[i], l.Left, l.For)
		}
	}
	orders, err := override.List(t.Context(), c, "orders")
	if err != nil || len(orders) != 2 {
		t.Errorf("of orders: %v, %v", orders, err)
	}
	if _, err := override.List(t.Context(), c, "a/b"); err == nil {
		t.Error("a bad name was taken")
	}
}

// A lease that etcd keeps for what is not there any more would be one for each change.
func TestNoLeaseOutlivesItsOverride(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	for _, d := range []time.Duration{time.Hour, time.Minute, time.Hour} {
		if _, err := override.Set(t.Context(), c, eject("a", d)); err != nil {
			t.Fatal(err)
		}
	}
	leases := func() int {
		resp, err := c.Etcd().Leases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(resp.Leases)
	}
	if n := leases(); n != 1 {
		t.Errorf("%d leases for one override", n)
	}
	if there, err := override.Clear(t.Context(), c, eject("a", 0)); err != nil || !there {
		t.Errorf("cleared: %v, %v", there, err)
	}
	if there, err := override.Clear(t.Context(), c, eject("a", 0)); err != nil || there {
		t.Errorf("cleared again: %v, %v", there, err)
	}
	if n := leases(); n != 0 {
		t.Errorf("%d leases for none", n)
	}
}

// Etcd grants no lease below 1.5 times its election timeout; readers must not end by their
// own clocks what etcd still holds.
func TestTheValueSaysWhatEtcdGranted(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	held, err := override.Set(t.Context(), c, eject("a", time.Second))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Etcd().Get(t.Context(), c.Key("route", "orders", "eject.a"))
	if err != nil || len(resp.Kvs) != 1 {
		t.Fatalf("%v, %v", resp, err)
	}
	left, err := c.Etcd().TimeToLive(t.Context(), clientv3.LeaseID(resp.Kvs[0].Lease))
	if err != nil {
		t.Fatal(err)
	}
	if granted := time.Duration(left.GrantedTTL) * time.Second; granted != held.For {
		t.Errorf("it says %v, etcd granted %v", held.For, granted)
	}
}

// What another version of the platform, or a hand, writes changes nothing of what holds.
func TestAValueThatCannotBeReadChangesNothing(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	source := override.Etcd(c)
	defer source.Close()
	f, err := source.Follow(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := override.Set(t.Context(), c, eject("a", time.Hour)); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool { return f.Current().Ejected("a") != nil }, "a is ejected")
	for key, value := range map[string]string{
		"eject.a": `{"v":2}`,
		"eject.b": `{"v":1,"kind":"eject","instance":"c","state":"ejected","for_s":60}`, // of another
		"breaker": `nothing`,
	} {
		if _, err := c.Etcd().Put(t.Context(), c.Key("route", "orders", key), value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := override.Set(t.Context(), c, eject("z", time.Hour)); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool { return f.Current().Ejected("z") != nil }, "z is ejected")
	if all := f.Current().All(); len(all) != 2 || f.Current().Ejected("a") == nil {
		t.Errorf("it has %v, want a and z", all)
	}
}

// While etcd is away an override stays for its duration, and the reader's clock ends it.
func TestWithoutEtcdAnOverrideStaysForAsLongAsItWasGivenFor(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a copy to be stale")
	}
	events := coordtest.Events(t)
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	source := override.Etcd(c)
	defer source.Close()
	f, err := source.Follow(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	for instance, d := range map[string]time.Duration{"short": 10 * time.Second, "long": time.Hour} {
		if _, err := override.Set(t.Context(), c, eject(instance, d)); err != nil {
			t.Fatal(err)
		}
	}
	coordtest.Eventually(t, patience, func() bool { return len(f.Current().All()) == 2 }, "both are ejected")
	events.Wait(t, semconv.EventRouteOverride, "eject.short")
	server.Stop()
	coordtest.Eventually(t, override.StaleAfter+patience, func() bool { return f.Current().Ejected("short") == nil }, "the short one ended")
	if age := f.Age(); age < override.StaleAfter {
		t.Errorf("it ended while the copy was %v old", age)
	}
	if f.Current().Ejected("long") == nil {
		t.Error("the long one ended too")
	}
	events.Wait(t, semconv.EventRouteRelease, "expired by this process's clock, for etcd does not answer")
	server.Start()
	coordtest.Eventually(t, patience, func() bool { return f.Age() < override.StaleAfter }, "etcd answers again")
	if f.Current().Ejected("long") == nil {
		t.Error("with etcd back the long one ended")
	}
}

func TestWhatIsRefusedNamesFieldAndLimit(t *testing.T) {
	err := error(&override.Error{Field: "duration", Value: "25h0m0s", Want: "whole seconds, 1s to 24h0m0s"})
	if want := "override: duration is 25h0m0s, want whole seconds, 1s to 24h0m0s"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	_, err = override.Set(t.Context(), nil, eject("a/b", time.Minute))
	if _, ok := errors.AsType[*coord.NameError](err); !ok {
		t.Errorf("a bad instance: %v, before anything is sent", err)
	}
}
