// SPDX-License-Identifier: Apache-2.0

package routes

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestTheTableOfServices(t *testing.T) {
	rows := []Row{
		{Service: "inventory", Policy: "adaptive", Breakers: []Breaker{{State: "half open", Admit: 0.25, Why: "the service is half open: 9 of 10 callers"}}},
		{
			Service: "orders", Revision: 3, Policy: "prequal", Routes: []string{"checkout", "rest"},
			Breakers:  []Breaker{{State: "closed", Admit: 1}, {Route: "rest", State: "open", Why: "route rest is open: 5 of 5 callers"}},
			Overrides: []Override{{Target: "eject.orders-2", State: override.Ejected, By: "ada", Reason: "\x1b[31mits\ndisk", Left: 598}},
		},
		{Service: "users", Revision: 1, Policy: "adaptive", Refused: "rules: line 2: panic is 7, want 0 to 1"},
	}
	var b bytes.Buffer
	if err := Table(&b, rows); err != nil {
		t.Fatal(err)
	}
	golden(t, "table.txt", b.Bytes())
}

func member(id, version string) discovery.Member {
	return discovery.Member{Instance: discovery.Instance{Service: "orders", ID: id, Version: version, Zone: "z1", Status: discovery.Up}}
}

func TestAnAnswerForPeople(t *testing.T) {
	forced := override.Override{
		Service: "orders", Kind: override.Eject, Instance: "orders-3", State: override.Ejected, Reason: "its disk fails", By: "ada", For: 10 * time.Minute,
	}
	draining := member("orders-4", "1.5.0")
	draining.Status = discovery.Draining
	settings := rules.Default().Settings
	settings.Timeout, settings.Hedge.Max, settings.Retry.PerTryTimeout = 2*time.Second, 1, time.Second
	none := rules.Settings{Retry: rules.Retry{Attempts: 1}}
	a := &Answer{
		Request: "GET /checkout/7",
		Explanation: router.Explanation{
			Service: "orders", Document: rules.State{Revision: 3, Err: errors.New("revision 4 is not in force")}, Policy: "adaptive",
			Steps: []rules.Step{
				{Route: "testers", Misses: "match.headers.x-tester"},
				{Route: "checkout", Share: 0.5, Arms: []rules.Part{{Variant: "stable", Share: 0.4}, {Variant: "canary", Share: 0.1}}},
			},
			Decisions: []router.Decision{
				{Route: "checkout", Variant: "stable", Share: 0.4, Admit: 1, Settings: settings, Repeatable: true, Instances: []string{"orders-1", "orders-2"}},
				{Route: "checkout", Variant: "canary", Share: 0.1, Admit: 1, Settings: settings, Instances: []string{"orders-1", "orders-2"}, Fallback: true},
				{Share: 0.5, Admit: 0.25, Settings: none},
			},
			Breakers: []router.Breaker{
				{Mode: rules.Act, State: signal.HalfOpen, Admit: 0.25, Why: "the service is half open (fleet): 25 % of the requests go"},
				{Route: "checkout", Mode: rules.Observe, State: signal.Open, Why: "route checkout is open (fleet): 0 % of the requests go"},
			},
			Choices: []router.Choice{
				{
					Member: member("orders-1", "1.4.0"), State: router.Active, Weight: 1, Latency: 4 * time.Millisecond, InFlight: 2,
					Capacity: balance.Capacity{Demand: 1500 * time.Microsecond, Parallelism: 3.5},
					Load:     &balance.Report{InFlight: 7}, LoadAge: 30 * time.Millisecond,
				},
				{
					Member: member("orders-2", "1.4.0"), State: router.Ejected, Reason: "consecutive_failures", Hold: 12 * time.Second, Latency: time.Second,
					Verdict: &signal.Verdict{State: signal.Bad, Callers: 4, BadCallers: 3, Requests: 40, Failures: 31}, Vouched: true,
				},
				{Member: member("orders-3", "1.5.0"), State: router.EjectedByOperator, Forced: &forced},
				{Member: draining, State: router.NotInService},
			},
			Panic: true, Zone: "z1", Stays: 0.66, Signals: true, SignalsAge: 400 * time.Millisecond,
		},
		Overrides: []Override{NewOverride(&override.Listed{Override: forced, Left: 9 * time.Minute})},
		Fresh:     true,
	}
	var b bytes.Buffer
	if err := a.Print(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "answer.txt", b.Bytes())
}

func TestAnAnswerWithoutSignalsSaysSo(t *testing.T) {
	var b bytes.Buffer
	if err := (&Answer{Request: "GET /", Explanation: router.Explanation{Service: "orders", Policy: "adaptive"}}).Print(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "empty.txt", b.Bytes())
}
