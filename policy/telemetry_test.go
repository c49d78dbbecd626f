// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/log/logtest"
	lognoop "go.opentelemetry.io/otel/log/noop"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// observe records what engines that are opened afterwards emit.
func observe(t *testing.T) (events func(name string) []logtest.Record, counts func(name string) map[string]int64) {
	t.Helper()
	recorder := logtest.NewRecorder()
	otel.SetLoggerProvider(recorder)
	reader := metric.NewManualReader()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	t.Cleanup(func() {
		otel.SetLoggerProvider(lognoop.NewLoggerProvider())
		otel.SetMeterProvider(metricnoop.NewMeterProvider())
	})
	events = func(name string) (found []logtest.Record) {
		for _, records := range recorder.Result() {
			for _, r := range records {
				if r.EventName == name {
					found = append(found, r)
				}
			}
		}
		return found
	}
	counts = func(name string) map[string]int64 {
		var all metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &all); err != nil {
			t.Fatal(err)
		}
		found := make(map[string]int64)
		for _, s := range all.ScopeMetrics {
			for _, m := range s.Metrics {
				if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == name {
					for _, p := range sum.DataPoints {
						var values []string
						for _, a := range p.Attributes.ToSlice() {
							values = append(values, a.Value.String())
						}
						found[strings.Join(values, " ")] += p.Value
					}
				}
			}
		}
		return found
	}
	return events, counts
}

// said returns an event's attributes as one text.
func said(r logtest.Record) map[string]string {
	m := make(map[string]string)
	for _, a := range r.Attributes {
		m[string(a.Key)] = a.Value.String()
	}
	return m
}

func TestADenialIsAnEventThatSaysWhoWhatAndWhy(t *testing.T) {
	events, counts := observe(t)
	e := open(t, map[string]string{"orders.rego": orders})
	in := request("bob", "cancel", "alice")
	in.Subject.Properties = map[string]any{"token": "a-secret"}
	in.Context = map[string]any{"card": "a-secret"}
	d, _ := e.Decide(t.Context(), "shop.orders", in)

	counted := counts(semconv.PolicyDecisions)
	e.Close() // which waits for the log
	got := events(semconv.EventPolicyDecide)
	if len(got) != 1 {
		t.Fatalf("%d events, want one", len(got))
	}
	for key, want := range map[string]string{
		semconv.PolicyDecisionID: d.ID.String(), semconv.PolicyEntrypoint: "shop.orders", semconv.PolicyOutcome: "deny",
		semconv.PolicyRule: "not-the-owner", semconv.PolicyBundle: "shop", semconv.PolicyRevision: "1",
		semconv.PolicySubjectType: "user", semconv.PolicySubjectID: "bob", semconv.PolicyAction: "cancel",
		semconv.PolicyResource: "order", semconv.PolicyResourceID: "1",
	} {
		if said(got[0])[key] != want {
			t.Errorf("%s is %q, want %q", key, said(got[0])[key], want)
		}
	}
	if text := fmt.Sprint(said(got[0])); strings.Contains(text, "secret") || strings.Contains(text, "alice") {
		t.Errorf("properties are in the event: %s", text)
	}
	if counted["shop.orders deny not-the-owner"] != 1 {
		t.Errorf("counted %v", counted)
	}
}

func TestAllDecisionsAreCountedAndFewOfThoseThatAllowAreEvents(t *testing.T) {
	events, counts := observe(t)
	e := open(t, map[string]string{"orders.rego": orders})
	const n = 2000
	for range n {
		e.Decide(t.Context(), "shop.orders", request("alice", "read", "bob"))
	}
	c := counts(semconv.PolicyDecisions)
	e.Close()
	// One in a hundred: 20 expected; over 60 or none has a chance below 1e-8.
	if got := len(events(semconv.EventPolicyDecide)); got < 1 || got > 60 {
		t.Errorf("%d events of %d decisions that allow, want about %d", got, n, n/100)
	}
	if c["shop.orders allow allow"] != n {
		t.Errorf("counted %v", c)
	}
}

func TestAFloodOfDenialsIsNoFloodOfEvents(t *testing.T) {
	events, counts := observe(t)
	e := open(t, map[string]string{"orders.rego": orders})
	const n = 5000
	for range n {
		e.Decide(t.Context(), "shop.orders", request("alice", "delete", "alice"))
	}
	c := counts(semconv.PolicyDecisions)
	e.Close()
	got, turnedAway := int64(len(events(semconv.EventPolicyDecide))), counts(semconv.PolicySuppressed)[""]
	if got < 1000 || got+turnedAway != n {
		t.Errorf("%d events and %d suppressed of %d", got, turnedAway, n)
	}
	if c["shop.orders deny default"] != n {
		t.Errorf("counted %v", c)
	}
}

func TestWhatARequestSaysCannotKeepEventsFromBeingExported(t *testing.T) {
	events, _ := observe(t)
	e := open(t, map[string]string{"a.rego": "package a\n\ndefault allow := false\n\ndeny contains input.resource.id"})
	for _, id := range []string{"/orders/\xff", strings.Repeat("\xff", 1000), strings.Repeat("é", 1000), strings.Repeat("a", 255) + "é"} {
		e.Decide(t.Context(), "a", policy.Input{Resource: policy.Entity{ID: id}, Subject: policy.Entity{ID: id}})
	}
	e.Close()
	got := events(semconv.EventPolicyDecide)
	if len(got) != 4 {
		t.Fatalf("%d events, want 4", len(got))
	}
	for _, r := range got {
		for key, value := range said(r) {
			if !utf8.ValidString(value) || len(value) > 256 {
				t.Errorf("%s has %d bytes and is UTF-8: %v", key, len(value), utf8.ValidString(value))
			}
		}
	}
}

func TestRulesNamedByRequestsDoNotMakeSeriesWithoutEnd(t *testing.T) {
	_, counts := observe(t)
	e := open(t, map[string]string{"a.rego": "package a\n\nallow := true\n\ndeny contains input.subject.id"})
	const n = 1200
	for i := range n {
		e.Decide(t.Context(), "a", policy.Input{Subject: policy.Entity{ID: fmt.Sprint(i)}})
	}
	c := counts(semconv.PolicyDecisions)
	var total int64
	for _, v := range c {
		total += v
	}
	if len(c) != 501 || c["true"] != n-500 || total != n {
		t.Errorf("%d series with %d decisions, %d of them in overflow; want 501, %d and %d", len(c), total, c["true"], n, n-500)
	}
}

func TestLoadsAndRefusalsAreEvents(t *testing.T) {
	events, counts := observe(t)
	open(t, map[string]string{"a.rego": "package a\n\nallow := true"})
	if got := events(semconv.EventPolicyLoad); len(got) != 1 || said(got[0])[semconv.PolicyRevision] != "1" {
		t.Errorf("loads: %v", got)
	}
	open(t, map[string]string{"a.rego": "package a\n\nallow if nothing.there"})
	got := events(semconv.EventPolicyRefuse)
	if len(got) != 1 || got[0].Severity != log.SeverityError || !strings.Contains(said(got[0])["error.message"], "a.rego:3") {
		t.Errorf("refusals: %v", got)
	}
	if c := counts(semconv.PolicyLoads); c["shop applied"] != 1 || c["shop refused"] != 1 {
		t.Errorf("counted %v", c)
	}
}

func TestTheRevisionInForceAndItsAgeAreGauges(t *testing.T) {
	otel.SetMeterProvider(metricnoop.NewMeterProvider())
	reader := metric.NewManualReader()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(metricnoop.NewMeterProvider()) })
	source := policy.Static("shop", map[string]string{"a.rego": whole})
	source.Set(policy.Bundle{Name: "shop", Revision: "7", Files: map[string]string{"a.rego": whole}})
	e, err := policy.Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	read := func() (revision int64, age float64, found bool) {
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		for _, s := range all.ScopeMetrics {
			for _, m := range s.Metrics {
				switch data := m.Data.(type) {
				case metricdata.Gauge[int64]:
					if m.Name == semconv.PolicyBundleRevision {
						revision, found = data.DataPoints[0].Value, true
					}
				case metricdata.Gauge[float64]:
					if m.Name == semconv.PolicyBundleAge {
						age = data.DataPoints[0].Value
					}
				}
			}
		}
		return revision, age, found
	}
	if revision, age, found := read(); revision != 7 || age != 0 || !found {
		t.Errorf("revision %d, age %v, %v", revision, age, found)
	}
	e.Close()
	if _, _, found := read(); found {
		t.Error("a closed engine still reports")
	}
}
