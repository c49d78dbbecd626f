// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/signal"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log/logtest"
)

// register announces a backend and waits until it is.
func register(t *testing.T, c *coord.Client, b *backend) discovery.Registration {
	t.Helper()
	reg, err := discovery.Etcd(c).Register(t.Context(), b.Instance, discovery.WithTTL(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reg.Close(t.Context()) })
	select {
	case <-reg.Registered():
	case <-time.After(patience):
		t.Fatal("not registered")
	}
	return reg
}

// open returns a directory and a source of signals.
func open(t *testing.T, c *coord.Client) (discovery.Directory, signal.Source) {
	t.Helper()
	d, err := discovery.Etcd(c).Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	s := signal.Etcd(c)
	t.Cleanup(func() { s.Close() })
	return d, s
}

// publish writes what a collector knows of instance a: a caller's evidence, latched.
func publish(t *testing.T, c *coord.Client, state signal.State) {
	t.Helper()
	in := signal.Instance{ID: "a", Latch: signal.Latch{State: state, Episode: 1, Hold: time.Minute}}
	if state == signal.Bad {
		in.Evidence = signal.Evidence{Seconds: 1, Requests: 20, Failures: 20, Callers: []signal.Caller{{Hash: 1, Requests: 20, Failures: 20}}}
	}
	raw := signal.Encode(&signal.Share{Service: "orders", Collector: "c1", Shards: 1, Instances: []signal.Instance{in}})
	if _, err := c.Etcd().Put(t.Context(), c.Prefix()+signal.Key("orders", 0, 1, "c1"), string(raw)); err != nil {
		t.Fatal(err)
	}
}

func TestARouterThatNeverSentToABadInstanceDoesNotBeginNow(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	a, b := newBackend(t, "a"), newBackend(t, "b")
	register(t, c, a)
	register(t, c, b)
	publish(t, c, signal.Bad)
	d, s := open(t, c)
	r, client, _ := newRouter(t, d, router.WithSignals(s))
	if err := r.Ready(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := get(t, client, "/"); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.served.Load(); n != 0 {
		t.Errorf("the bad instance served %d requests", n)
	}
	if got := stateOf(t, r, "a"); got.State != router.EjectedByFleet || got.Verdict == nil || got.Verdict.State != signal.Bad || got.Reason != "fleet_verdict" {
		t.Errorf("explained as %+v", got)
	}

	publish(t, c, signal.Probation)
	coordtest.Eventually(t, patience, func() bool {
		_, err := get(t, client, "/")
		return err == nil && a.served.Load() >= 3 && stateOf(t, r, "a").State != router.Probing
	}, "it is probed and comes back")
}

func TestRequestsGoOnWithoutEtcd(t *testing.T) {
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	a, b := newBackend(t, "a"), newBackend(t, "b")
	register(t, c, a)
	register(t, c, b)
	d, s := open(t, c)
	r, client, _ := newRouter(t, d, router.WithSignals(s))
	if err := r.Ready(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool { return len(d.Members("orders")) == 2 }, "both are known")
	server.Stop()
	began := time.Now()
	for range 100 {
		if _, err := get(t, client, "/"); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("100 requests took %v", took)
	}
}

func TestADrainingInstanceGetsNoNewRequests(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	a, b := newBackend(t, "a"), newBackend(t, "b")
	reg := register(t, c, a)
	register(t, c, b)
	d, s := open(t, c)
	r, client, _ := newRouter(t, d, router.WithSignals(s))
	if err := r.Ready(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	if err := reg.Drain(); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool { return stateOf(t, r, "a").State == router.NotInService }, "draining is heard")
	before := a.served.Load()
	for range 20 {
		if _, err := get(t, client, "/"); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.served.Load() - before; n != 0 {
		t.Errorf("it got %d new requests", n)
	}
}

func TestEveryDecisionIsAnEvent(t *testing.T) {
	before := otel.GetLoggerProvider()
	recorder := logtest.NewRecorder()
	otel.SetLoggerProvider(recorder)
	defer otel.SetLoggerProvider(before)
	a := newBackend(t, "a")
	a.server.Close()
	_, client, _ := newRouter(t, table(t, a.Instance))
	for range 5 {
		_, _ = get(t, client, "/")
	}
	var names []string
	for _, records := range recorder.Result() {
		for _, rec := range records {
			names = append(names, rec.EventName)
		}
	}
	if len(names) != 2 || names[0] != "otelplat.route.eject" || names[1] != "otelplat.route.panic" {
		t.Errorf("events %v, want an ejection, and panic because nobody is left", names)
	}
}
