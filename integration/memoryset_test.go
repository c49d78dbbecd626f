// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/otelplat/platform/configsrc"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/db"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/election"
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/otelplat/platform/otelplat/event/jetstream/natstest"
	"github.com/otelplat/platform/otelplat/health"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

// ticketWorld is where the ticket service runs: a set for each instance, and the
// hands of those who operate it.
type ticketWorld struct {
	instance  func(id string) ticketSet
	signals   signal.Source
	bus       event.Bus
	setConfig func(t *testing.T, limit int)
	setPolicy func(t *testing.T, rego string)
	condemn   func(t *testing.T, share *signal.Share)
	token     func(t *testing.T, subject string, roles ...string) string
}

const buyersOnly = `package tickets

default allow := false

allow if "buyer" in input.subject.properties.roles
`

// TestAServiceOnTheMemorySetAndOnTheRealOne runs one user-level test on a service that
// was written against interfaces: with nothing else running, and with etcd, NATS,
// signed bundles, JWT and SQLite.
func TestAServiceOnTheMemorySetAndOnTheRealOne(t *testing.T) {
	for name, open := range map[string]func(*testing.T) ticketWorld{"memory": memoryWorld, "real": realWorld} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{"TRACES", "METRICS", "LOGS"} {
				t.Setenv("OTEL_"+kind+"_EXPORTER", "none")
			}
			telemetry, err := otelplat.Start(t.Context(), otelplat.WithServiceName("tickets"), otelplat.WithConsole(io.Discard), otelplat.WithoutGlobals())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = telemetry.Shutdown(context.WithoutCancel(t.Context())) }() // exports nothing
			testTickets(t, open(t))
		})
	}
}

const ticketPatience = 30 * time.Second

// buyers are the service's users, who call it by name.
type buyers struct {
	t      *testing.T
	client *http.Client
}

func (b *buyers) call(method, token string) (status int, body, servedBy string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, "http://tickets/tickets", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, err.Error(), ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text)), resp.Header.Get("Served-By")
}

func testTickets(t *testing.T, w ticketWorld) {
	w.setPolicy(t, buyersOnly)
	w.setConfig(t, 1)
	directory, err := w.instance("client").registry.Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	r, err := router.New(directory, router.WithSignals(w.signals))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	heard := make(chan string, 100)
	sub, err := w.bus.Subscribe(t.Context(), event.Subscription{Name: "audit", Types: []string{"ticket.sold"}, All: true}, func(_ context.Context, d event.Delivery) error {
		heard <- d.Subject
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()

	start := func(id string) *tickets {
		t.Helper()
		s, err := startTickets(t.Context(), id, w.instance(id))
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.reg.Registered():
		case <-time.After(ticketPatience):
			t.Fatalf("%s is not registered", id)
		}
		return s
	}
	stop := func(s *tickets) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), ticketPatience)
		defer cancel()
		if err := s.stop(ctx); err != nil {
			t.Errorf("stop %s: %v", s.id, err)
		}
	}
	one := start("tickets-1")
	stopOne := sync.OnceFunc(func() { stop(one) })
	defer stopOne()

	b := &buyers{t, &http.Client{Transport: r.Transport(nil), Timeout: ticketPatience}}
	alice, bob := w.token(t, "alice", "buyer"), w.token(t, "bob", "visitor")
	answers := func(want int, method, token, what string) string {
		t.Helper()
		var status int
		var body string
		coordtest.Eventually(t, ticketPatience, func() bool { status, body, _ = b.call(method, token); return status == want }, "%s: %d", what, want)
		return body
	}
	if got := answers(http.StatusOK, http.MethodPost, alice, "the first ticket"); got != `{"number":1,"owner":"alice"}` {
		t.Errorf("the first ticket is %s", got)
	}
	answers(http.StatusUnauthorized, http.MethodPost, "", "without a token")
	answers(http.StatusUnauthorized, http.MethodPost, alice+"x", "with a token that nobody issued")
	answers(http.StatusForbidden, http.MethodPost, bob, "who is no buyer")
	answers(http.StatusConflict, http.MethodPost, alice, "beyond the limit")
	w.setConfig(t, 1000)
	answers(http.StatusOK, http.MethodPost, alice, "after the limit was raised")

	// A second instance: both sell, and no number twice.
	two := start("tickets-2")
	defer stop(two)
	coordtest.Eventually(t, ticketPatience, func() bool { return len(directory.Members("tickets")) == 2 }, "two instances")
	var mu sync.Mutex
	var wg sync.WaitGroup
	numbers, by := make(map[int]bool), make(map[string]int)
	for range 40 {
		wg.Go(func() {
			status, body, servedBy := b.call(http.MethodPost, alice)
			var sold ticket
			if err := json.Unmarshal([]byte(body), &sold); err != nil || status != http.StatusOK {
				t.Errorf("a ticket: %d %s", status, body)
			}
			mu.Lock()
			defer mu.Unlock()
			numbers[sold.Number] = true
			by[servedBy]++
		})
	}
	wg.Wait()
	if len(numbers) != 40 || len(by) != 2 {
		t.Errorf("%d numbers of 40 tickets, sold by %v", len(numbers), by)
	}
	if mine := strings.Fields(answers(http.StatusOK, http.MethodGet, alice, "her tickets")); len(mine) < 42 || mine[0] != "1" || mine[1] != "2" {
		t.Errorf("her tickets are %v", mine)
	}
	events := make(map[string]bool)
	for len(events) < 42 {
		select {
		case number := <-heard:
			events[number] = true
		case <-time.After(ticketPatience):
			t.Fatalf("%d tickets were heard of", len(events))
		}
	}

	// One leads, and the other does when it is gone.
	coordtest.Eventually(t, ticketPatience, func() bool { return one.leads.Load() != two.leads.Load() }, "one leader")

	// The fleet speaks against one, and nobody goes there.
	w.condemn(t, badShare("tickets-2"))
	coordtest.Eventually(t, ticketPatience, func() bool {
		choices, err := r.Explain("tickets")
		return err == nil && slices.ContainsFunc(choices, func(c router.Choice) bool {
			return c.Member.ID == "tickets-2" && (c.State == router.EjectedByFleet || c.Vouched)
		})
	}, "the fleet's word against tickets-2")

	// A failing check takes one out, by its own word.
	if err := two.checks.Add("paper", func(context.Context) error { return fmt.Errorf("no paper") }, health.WithThreshold(1)); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, ticketPatience, func() bool {
		m := directory.Members("tickets")
		return len(m) == 2 && m[1].Status == discovery.Down
	}, "tickets-2 says that it is down")
	for range 10 {
		if status, body, servedBy := b.call(http.MethodPost, alice); status != http.StatusOK || servedBy != "tickets-1" {
			t.Errorf("while tickets-2 is down: %d %s by %q", status, body, servedBy)
		}
	}

	// Another policy, at once; and then one leaves.
	w.setPolicy(t, "package tickets\n\ndefault allow := false\n")
	answers(http.StatusForbidden, http.MethodPost, alice, "after the policy was changed")
	stopOne()
	coordtest.Eventually(t, ticketPatience, func() bool { return len(directory.Members("tickets")) == 1 }, "tickets-1 is gone")
	coordtest.Eventually(t, ticketPatience, two.leads.Load, "tickets-2 leads")
}

// badShare is what a collector writes of an instance that three callers see fail.
func badShare(instance string) *signal.Share {
	e := signal.Evidence{Seconds: 1}
	for _, name := range []string{"service:a", "service:b", "service:c"} {
		e.Callers = append(e.Callers, signal.Caller{Hash: signal.HashCaller(name), Requests: 20, Failures: 20})
		e.Requests, e.Failures = e.Requests+20, e.Failures+20
	}
	slices.SortFunc(e.Callers, func(a, b signal.Caller) int {
		if a.Hash < b.Hash {
			return -1
		}
		return 1
	})
	return &signal.Share{Service: "tickets", Collector: "c", Shards: 1, Instances: []signal.Instance{{ID: instance, Evidence: e}}}
}

// memoryWorld runs with nothing else.
func memoryWorld(t *testing.T) ticketWorld {
	signals, bus := signal.Memory(), event.NewMemory("tickets")
	records, place, registry, backend := db.Memory(), election.NewMemory(), discovery.Memory(), kv.Memory()
	locks := lock.Memory()
	t.Cleanup(func() {
		for _, c := range []io.Closer{signals, bus, records, backend, locks} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	var mu sync.Mutex
	var configs []*configsrc.Memory
	var bundles []*policy.Memory
	known := make(map[string]*authn.Principal)
	for name, role := range map[string]string{"alice": "buyer", "bob": "visitor"} {
		known["token-of-"+name] = &authn.Principal{Kind: authn.User, Subject: name, Roles: []string{role}}
	}
	limit, bundle, revision := 0, "", 0
	apply := func() { // with mu held
		for _, c := range configs {
			c.Set(map[string]any{"limit": limit})
		}
		for _, b := range bundles {
			b.Set(policy.Bundle{Name: "tickets", Revision: fmt.Sprint(revision), Files: map[string]string{"a.rego": bundle}})
		}
	}
	return ticketWorld{
		signals: signals, bus: bus,
		instance: func(id string) ticketSet {
			elector, err := place.Elector(election.Candidate{ID: id})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = elector.Close() }) // again
			mu.Lock()
			defer mu.Unlock()
			configs, bundles = append(configs, &configsrc.Memory{}), append(bundles, &policy.Memory{})
			apply()
			return ticketSet{
				kv: kv.New(backend), locks: shared{locks}, elector: elector, registry: registry, bus: bus, db: records,
				config: configs[len(configs)-1], policies: bundles[len(bundles)-1], verifier: authn.NewFixed(known),
			}
		},
		setConfig: func(_ *testing.T, n int) {
			mu.Lock()
			defer mu.Unlock()
			limit = n
			apply()
		},
		setPolicy: func(_ *testing.T, rego string) {
			mu.Lock()
			defer mu.Unlock()
			bundle = rego
			revision++
			apply()
		},
		condemn: func(t *testing.T, share *signal.Share) {
			if err := signals.Put(share); err != nil {
				t.Fatal(err)
			}
		},
		token: func(_ *testing.T, subject string, _ ...string) string { return "token-of-" + subject },
	}
}

// shared is a locker that its users do not close: in memory all of them share one.
type shared struct{ lock.Locker }

func (shared) Close() error { return nil }

// realWorld runs on etcd, NATS, signed bundles, JWT and SQLite.
func realWorld(t *testing.T) ticketWorld {
	client := coordtest.Client(t, coordtest.Etcd(t))
	bus, err := jetstream.Open(jetstream.WithURL(natstest.NewServer(t).URL()), jetstream.WithService("tickets"))
	if err != nil {
		t.Fatal(err)
	}
	records, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "tickets.db"))
	if err != nil {
		t.Fatal(err)
	}
	signals := signal.Etcd(client)
	t.Cleanup(func() {
		for _, c := range []io.Closer{signals, bus, records} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := devissuer.New()
	if err != nil {
		t.Fatal(err)
	}
	jwks := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(jwks, issuer.JWKS(), 0o600); err != nil {
		t.Fatal(err)
	}
	return ticketWorld{
		signals: signals, bus: bus,
		instance: func(id string) ticketSet {
			elector, err := election.Open(client, election.Candidate{ID: id})
			if err != nil {
				t.Fatal(err)
			}
			locks := lock.Open(client)
			store := kv.Open(client)
			t.Cleanup(func() { _, _, _ = elector.Close(), locks.Close(), store.Close() }) // again
			policies, err := policy.Etcd(client, "tickets", policy.NewKeyRing(public))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = policies.Close() }) // again, but for that of who only calls
			verifier, err := authn.Open(authn.Config{JWKSFile: jwks, Issuer: devissuer.Name, Audience: devissuer.Audience})
			if err != nil {
				t.Fatal(err)
			}
			config := configsrc.Document(client, "tickets")
			t.Cleanup(func() { _ = config.Close() }) // as the policies
			return ticketSet{
				kv: store, locks: locks, elector: elector, registry: discovery.Etcd(client), config: config,
				bus: bus, policies: policies, verifier: verifier, db: records,
			}
		},
		setConfig: func(t *testing.T, limit int) {
			_, err := versioned.New(client, versioned.Config).Put(t.Context(), "tickets", fmt.Appendf(nil, `{"limit": %d}`, limit), versioned.PutOptions{Expect: versioned.Any})
			if err != nil {
				t.Fatal(err)
			}
		},
		setPolicy: func(t *testing.T, rego string) {
			archive, err := policy.Build(fstest.MapFS{"a.rego": {Data: []byte(rego)}})
			if err == nil {
				_, err = policy.Push(t.Context(), client, "tickets", archive, policy.PushOptions{Key: private, Author: "t", Expect: versioned.Any})
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		condemn: func(t *testing.T, s *signal.Share) {
			key := client.Prefix() + signal.Key(s.Service, s.Shard, s.Shards, s.Collector)
			if _, err := client.Etcd().Put(t.Context(), key, string(signal.Encode(s))); err != nil {
				t.Fatal(err)
			}
		},
		token: func(t *testing.T, subject string, roles ...string) string {
			token, err := issuer.Token(devissuer.Claims{Subject: subject, Roles: roles})
			if err != nil {
				t.Fatal(err)
			}
			return token
		},
	}
}
