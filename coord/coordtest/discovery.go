// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/otelplat/semconv"
)

// Discovery tests a registry of instances. Open returns a new, empty one.
func Discovery(t *testing.T, open func(t *testing.T) discovery.Registry) {
	for name, f := range map[string]func(*testing.T, discovery.Registry){
		"an instance is found as it was announced":            discoveryFound,
		"instances come in order, by service":                 discoveryOrder,
		"an update changes all but who it is":                 discoveryUpdate,
		"a bad update changes nothing":                        discoveryBadUpdate,
		"who drains is still known":                           discoveryDrain,
		"who closes is gone and the others stay":              discoveryClose,
		"the status function is asked, and drain goes before": discoveryStatus,
		"a status that is told is announced at once":          discoveryTold,
		"updates tell of changes and end":                     discoveryUpdates,
		"of two with one id the last counts":                  discoveryTwice,
		"what cannot be an instance is refused by field":      discoveryRefused,
		"an ended context does nothing":                       discoveryContext,
		"who is up by its own word only is contradicted":      discoveryContradicted,
		"what happens to an instance is told":                 discoveryEvents,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

func someInstance(id string) discovery.Instance {
	return discovery.Instance{
		Service: "orders", ID: id, Version: "1.2.3", Zone: "z1", Weight: 2,
		Labels:    map[string]string{"variant": "blue"},
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:1"}, {Protocol: discovery.GRPC, Address: "127.0.0.1:2"}},
	}
}

func mustRegister(t *testing.T, r discovery.Registry, in discovery.Instance, opts ...discovery.RegisterOption) discovery.Registration {
	t.Helper()
	reg, err := r.Register(t.Context(), in, append([]discovery.RegisterOption{discovery.WithTTL(2 * time.Second)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeRegistration(t, reg) })
	select {
	case <-reg.Registered():
	case <-time.After(patience):
		t.Fatalf("%s is not registered", in.ID)
	}
	return reg
}

func closeRegistration(t *testing.T, reg discovery.Registration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := reg.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func mustDirectory(t *testing.T, r discovery.Registry) discovery.Directory {
	t.Helper()
	d, err := r.Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return d
}

// holds waits until the directory has these ids of the service, in order.
func holds(t *testing.T, d discovery.Directory, service string, ids ...string) {
	t.Helper()
	var got []string
	Eventually(t, patience, func() bool {
		got = nil
		for _, m := range d.Members(service) {
			if !m.Unconfirmed {
				got = append(got, m.ID)
			}
		}
		return slices.Equal(got, ids)
	}, "members %v of %s, the last were %v", ids, service, &got)
}

func discoveryFound(t *testing.T, r discovery.Registry) {
	early := mustDirectory(t, r)
	mustRegister(t, r, someInstance("a"))
	late := mustDirectory(t, r)
	for _, d := range []discovery.Directory{early, late} {
		holds(t, d, "orders", "a")
		got := d.Members("orders")[0]
		if got.Service != "orders" || got.Version != "1.2.3" || got.Zone != "z1" || got.Weight != 2 || got.Variant() != "blue" ||
			got.Status != discovery.Up || got.Address(discovery.HTTP) != "127.0.0.1:1" || got.Address(discovery.GRPC) != "127.0.0.1:2" || got.Unconfirmed {
			t.Errorf("found %+v", got)
		}
	}
	if age := late.Age(); age < 0 || age > patience {
		t.Errorf("the directory is %v old", age)
	}
	if none := late.Members("payments"); len(none) != 0 {
		t.Errorf("a service without instances has %v", none)
	}
}

func discoveryOrder(t *testing.T, r discovery.Registry) {
	d := mustDirectory(t, r)
	for _, id := range []string{"c", "a", "b"} {
		mustRegister(t, r, someInstance(id))
	}
	other := someInstance("z")
	other.Service = "inventory"
	mustRegister(t, r, other)
	holds(t, d, "orders", "a", "b", "c")
	holds(t, d, "inventory", "z")
	if got := d.Services(); !slices.Equal(got, []string{"inventory", "orders"}) {
		t.Errorf("services %v", got)
	}
}

func discoveryUpdate(t *testing.T, r discovery.Registry) {
	d := mustDirectory(t, r)
	reg := mustRegister(t, r, someInstance("a"))
	holds(t, d, "orders", "a")
	before := d.Members("orders")[0]
	if err := reg.Update(func(in *discovery.Instance) {
		in.Service, in.ID, in.Weight, in.Labels["variant"] = "other", "b", 7, "green"
	}); err != nil {
		t.Fatal(err)
	}
	Eventually(t, patience, func() bool {
		m := d.Members("orders")
		return len(m) == 1 && m[0].ID == "a" && m[0].Weight == 7 && m[0].Variant() == "green"
	}, "the update")
	if before.Weight != 2 || before.Variant() != "blue" {
		t.Errorf("what was read before changed: %+v", before)
	}
}

func discoveryBadUpdate(t *testing.T, r discovery.Registry) {
	d := mustDirectory(t, r)
	reg := mustRegister(t, r, someInstance("a"))
	err := reg.Update(func(in *discovery.Instance) { in.Weight, in.Zone = -1, "z9" })
	if e, ok := errors.AsType[*discovery.InstanceError](err); !ok || e.Field != "weight" {
		t.Errorf("a bad weight: %v", err)
	}
	if err := reg.Update(func(in *discovery.Instance) { in.Version = "2" }); err != nil {
		t.Fatal(err)
	}
	Eventually(t, patience, func() bool { m := d.Members("orders"); return len(m) == 1 && m[0].Version == "2" }, "the good update")
	if got := d.Members("orders")[0]; got.Weight != 2 || got.Zone != "z1" {
		t.Errorf("a refused update is there: %+v", got)
	}
}

func discoveryDrain(t *testing.T, r discovery.Registry) {
	d := mustDirectory(t, r)
	reg := mustRegister(t, r, someInstance("a"))
	if err := reg.Drain(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, patience, func() bool {
		m := d.Members("orders")
		return len(m) == 1 && m[0].Status == discovery.Draining
	}, "a draining instance")
}

func discoveryClose(t *testing.T, r discovery.Registry) {
	d := mustDirectory(t, r)
	a := mustRegister(t, r, someInstance("a"))
	mustRegister(t, r, someInstance("b"))
	holds(t, d, "orders", "a", "b")
	closeRegistration(t, a)
	holds(t, d, "orders", "b")
	closeRegistration(t, a) // again
	mustRegister(t, r, someInstance("a"))
	holds(t, d, "orders", "a", "b")
}

func discoveryStatus(t *testing.T, r discovery.Registry) {
	d := mustDirectory(t, r)
	var starting atomic.Bool
	starting.Store(true)
	reg := mustRegister(t, r, someInstance("a"), discovery.WithStatus(func() discovery.Status {
		if starting.Load() {
			return discovery.Starting
		}
		return discovery.Up
	}))
	has := func(s discovery.Status) {
		t.Helper()
		Eventually(t, patience, func() bool { m := d.Members("orders"); return len(m) == 1 && m[0].Status == s }, "status %s", s)
	}
	has(discovery.Starting)
	starting.Store(false)
	has(discovery.Up)
	if err := reg.Drain(); err != nil {
		t.Fatal(err)
	}
	has(discovery.Draining)
}

func discoveryTold(t *testing.T, r discovery.Registry) {
	d := mustDirectory(t, r)
	var sick atomic.Bool
	told := make(chan struct{}, 1)
	mustRegister(t, r, someInstance("a"), discovery.WithTTL(time.Hour), // no renewal comes to help
		discovery.WithStatus(func() discovery.Status {
			if sick.Load() {
				return discovery.Down
			}
			return discovery.Up
		}),
		discovery.WithStatusUpdates(func(context.Context) <-chan struct{} { return told }))
	has := func(s discovery.Status) {
		t.Helper()
		Eventually(t, patience, func() bool { m := d.Members("orders"); return len(m) == 1 && m[0].Status == s }, "status %s", s)
	}
	has(discovery.Up)
	sick.Store(true)
	told <- struct{}{}
	has(discovery.Down)
	sick.Store(false)
	told <- struct{}{}
	has(discovery.Up)
	close(told) // who told ends first
}

func discoveryUpdates(t *testing.T, r discovery.Registry) {
	d := mustDirectory(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, stays := d.Updates(ctx), d.Updates(t.Context())
	mark(t, stays, "a loaded directory")
	mustRegister(t, r, someInstance("a"))
	holds(t, d, "orders", "a")
	mark(t, stays, "a new instance")
	cancel()
	drained(t, ended, "its context")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	drained(t, stays, "the directory")
	if got := d.Members("orders"); len(got) != 1 {
		t.Errorf("a closed directory forgot what it knew: %v", got)
	}
}

// mark waits for one mark.
func mark(t *testing.T, updates <-chan struct{}, why string) {
	t.Helper()
	select {
	case _, open := <-updates:
		if !open {
			t.Fatalf("the updates ended before %s was told", why)
		}
	case <-time.After(patience):
		t.Fatalf("%s was not told", why)
	}
}

// drained waits until the channel is closed.
func drained(t *testing.T, updates <-chan struct{}, with string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case _, open := <-updates:
			if !open {
				return
			}
		case <-late:
			t.Fatalf("the updates did not end with %s", with)
		}
	}
}

func discoveryTwice(t *testing.T, r discovery.Registry) {
	d := mustDirectory(t, r)
	mustRegister(t, r, someInstance("a"))
	in := someInstance("a")
	in.Version = "2"
	mustRegister(t, r, in)
	Eventually(t, patience, func() bool { m := d.Members("orders"); return len(m) == 1 && m[0].Version == "2" }, "the second of two")
}

func discoveryRefused(t *testing.T, r discovery.Registry) {
	for field, change := range map[string]func(*discovery.Instance){
		"endpoints":       func(in *discovery.Instance) { in.Endpoints = nil },
		"endpoint":        func(in *discovery.Instance) { in.Endpoints[0].Address = "nowhere" },
		"weight":          func(in *discovery.Instance) { in.Weight = -1 },
		"status":          func(in *discovery.Instance) { in.Status = "fine" },
		"version or zone": func(in *discovery.Instance) { in.Zone = strings.Repeat("z", 257) },
		"label k":         func(in *discovery.Instance) { in.Labels["k"] = strings.Repeat("v", 256) },
	} {
		in := someInstance("a")
		change(&in)
		_, err := r.Register(t.Context(), in)
		if e, ok := errors.AsType[*discovery.InstanceError](err); !ok || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for field, change := range map[string]func(*discovery.Instance){
		"service":  func(in *discovery.Instance) { in.Service = "" },
		"instance": func(in *discovery.Instance) { in.ID = "a/b" },
	} {
		in := someInstance("a")
		change(&in)
		_, err := r.Register(t.Context(), in)
		if _, ok := errors.AsType[*coord.NameError](err); !ok || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if d := mustDirectory(t, r); len(d.Services()) != 0 {
		t.Errorf("what was refused is there: %v", d.Services())
	}
}

func discoveryContext(t *testing.T, r discovery.Registry) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Register(ended, someInstance("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("Register: %v", err)
	}
	if _, err := r.Directory(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Directory: %v", err)
	}
	if d := mustDirectory(t, r); len(d.Services()) != 0 {
		t.Errorf("an ended context registered %v", d.Services())
	}
}

// discoveryContradicted lets the fleet condemn an instance that says that it is up.
func discoveryContradicted(t *testing.T, r discovery.Registry) {
	var condemned atomic.Value
	condemned.Store("")
	told := make(chan struct{}, 1)
	d, err := r.Directory(t.Context(), discovery.WithVerdicts(discovery.Verdicts{
		Bad: func(service, instance string) (string, bool) {
			return "5 of 5 requests failed", service == "orders" && instance == condemned.Load()
		},
		Updates: func(context.Context) <-chan struct{} { return told },
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		close(told)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	mustRegister(t, r, someInstance("a"))
	b := mustRegister(t, r, someInstance("b"))
	holds(t, d, "orders", "a", "b")
	judge := func(id string) {
		condemned.Store(id)
		told <- struct{}{}
	}
	states := func(want string) {
		t.Helper()
		Eventually(t, patience, func() bool {
			var all []string
			for _, m := range d.Members("orders") {
				all = append(all, m.ID+" "+string(m.State()))
				if m.Contradicted != (m.Figures == "5 of 5 requests failed") {
					t.Errorf("figures %q of %+v", m.Figures, m)
				}
			}
			return strings.Join(all, ", ") == want
		}, "states "+want)
	}
	states("a up, b up")
	judge("b")
	states("a up, b contradicted")
	up := discovery.Selector{Statuses: []discovery.Status{discovery.Up}}
	if chosen := up.Select(d, "orders"); len(chosen) != 1 || chosen[0].ID != "a" {
		t.Errorf("up are %v", chosen)
	}
	if err := b.Drain(); err != nil { // then it does not claim to be up
		t.Fatal(err)
	}
	states("a up, b draining")
	judge("")
}

// discoveryEvents watches the events of what instances do of their own will.
func discoveryEvents(t *testing.T, r discovery.Registry) {
	events := Events(t)
	d, err := r.Directory(t.Context(), discovery.WithEvents())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := d.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := mustRegister(t, r, someInstance("a"))
	events.Wait(t, semconv.EventDiscoveryAppear, "a")
	if err := a.Drain(); err != nil {
		t.Fatal(err)
	}
	events.Wait(t, semconv.EventDiscoveryDrain, "a")
	closeRegistration(t, a)
	events.Wait(t, semconv.EventDiscoveryLeave, "a")
}
