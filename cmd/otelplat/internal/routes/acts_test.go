// SPDX-License-Identifier: Apache-2.0

package routes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/acts"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/otelplat/platform/otelplat/event/jetstream/natstest"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/log"
)

// openBus opens a bus on a server, which is connected.
func openBus(t *testing.T, server *natstest.Server) *jetstream.Bus {
	t.Helper()
	bus, err := jetstream.Open(jetstream.WithURL(server.URL()), jetstream.WithNamespace("test-acts"),
		jetstream.WithLogger(slog.New(slog.DiscardHandler)), jetstream.WithOldestDiscarded())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Close() })
	coordtest.Eventually(t, 30*time.Second, bus.Connected, "the bus is connected")
	return bus
}

// copied is the CloudEvent that the collector makes of an instance's record.
func copied(t *testing.T, r log.Record, service, instance string) event.Event {
	t.Helper()
	attributes := make(map[string]any)
	for kv := range r.WalkAttributes {
		attributes[string(kv.Key)] = kv.Value.AsInterface()
	}
	id, _ := attributes[semconv.LogRecordUID].(string)
	delete(attributes, semconv.LogRecordUID)
	document := map[string]any{"severity": "Warn", "scope": semconv.RouteScope, "attributes": attributes}
	if body := r.Body().AsString(); body != "" {
		document["body"] = body
	}
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	e := event.Event{
		ID: id, Type: r.EventName(), Time: r.Timestamp(), DataContentType: "application/json", Data: data, Source: "/" + service + "/" + instance,
	}
	return e.Complete(service)
}

func TestTheActsOfAFleetAreRead(t *testing.T) {
	server := natstest.NewServer(t)
	bus := openBus(t, server)
	if _, err := ReadActs(t.Context(), bus, "orders", time.Minute); !errors.Is(err, jetstream.ErrNoStream) {
		t.Fatalf("without a stream: %v", err)
	}
	put := func(service string, events ...event.Event) {
		t.Helper()
		if err := bus.Append(t.Context(), service, events...); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	act := func(event, service, instance string) acts.Act {
		return acts.Act{ID: acts.NewID(), At: now, Event: event, Service: service, Instance: instance, Rule: "fleet_verdict", Callers: 4, BadCallers: 3, Instances: 3, Rotation: 2}
	}
	put("users", event.Event{Type: semconv.EventRouteEject, Data: []byte("no JSON")}.Complete("users"))
	other := act(semconv.EventRouteEject, "inventory", "inventory-1")
	put("orders", copied(t, other.Record(), "orders", "orders-1"))
	for i := range 3 { // many routers did it alike
		a := act(semconv.EventRouteEject, "orders", "orders-2")
		who := fmt.Sprintf("storefront-%d", i)
		put("storefront", copied(t, a.Record(), "storefront", who))
		if i > 0 {
			a.Effect = &acts.Effect{ErrorsBefore: 0.5, P99Before: time.Second, P99After: 10 * time.Millisecond, RequestsBefore: 10, RequestsAfter: 10}
			put("storefront", copied(t, a.EffectRecord(acts.NewID(), now), "storefront", who))
		}
	}
	opened := acts.Act{ID: acts.NewID(), At: now, Event: semconv.EventRouteOpen, Service: "orders", Rule: "fleet", Why: "the service is open (fleet)"}
	put("batch", copied(t, opened.Record(), "batch", "batch-1"))

	a, err := ReadActs(t.Context(), bus, "orders", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.List) != 2 || a.Within != 60 || a.Older || a.Missing != "" || a.now.IsZero() {
		t.Fatalf("got %+v", a)
	}
	ejected := a.List[0]
	if ejected.Event != semconv.EventRouteEject || ejected.Instance != "orders-2" || ejected.Effects != 2 || ejected.Callers != 4 ||
		!reflect.DeepEqual(ejected.By, []string{"storefront/storefront-0", "storefront/storefront-1", "storefront/storefront-2"}) ||
		ejected.Effect == nil || *ejected.Effect != (acts.Effect{ErrorsBefore: 0.5, P99Before: time.Second, P99After: 10 * time.Millisecond, RequestsBefore: 20, RequestsAfter: 20}) {
		t.Errorf("the first act is %+v with %+v", ejected, ejected.Effect)
	}
	if last := a.List[1]; last.Event != semconv.EventRouteOpen || last.Why != opened.Why || last.Effect != nil || last.By[0] != "batch/batch-1" || last.ID != opened.ID {
		t.Errorf("the last act is %+v", last)
	}

	for i := range 20 {
		a := act(semconv.EventRouteReadmit, "orders", fmt.Sprintf("orders-%d", i))
		put("batch", copied(t, a.Record(), "batch", "batch-1"))
	}
	if a, err = ReadActs(t.Context(), bus, "orders", time.Minute); err != nil {
		t.Fatal(err)
	}
	if n := len(a.List); n != 22 || a.Older || a.List[n-1].Instance != "orders-19" {
		t.Errorf("of 22 acts there are %d, older ones: %v", n, a.Older)
	}
	var text bytes.Buffer
	a.print(&text)
	if s := text.String(); !strings.Contains(s, "; 12 older ones are in -o json:") || strings.Contains(s, "readmit orders-9;") || !strings.Contains(s, "readmit orders-10;") {
		t.Errorf("of 22 acts people get:\n%s", s)
	}
	if a, err = ReadActs(t.Context(), bus, "users", time.Minute); err != nil || a.List == nil || len(a.List) > 0 || a.Older {
		t.Errorf("of a service that nothing was done to: %+v, %v", a, err)
	}
}

func TestActsForPeople(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.Local)
	effect := acts.Effect{
		ErrorsBefore: 0.314, ErrorsAfter: 0.002, P99Before: 2100 * time.Millisecond, P99After: 9 * time.Millisecond, RequestsBefore: 140, RequestsAfter: 152,
	}
	folded := func(a acts.Act, effects int, by ...string) acts.Folded {
		a.At = at
		return acts.Folded{Act: a, Stored: at, By: by, Effects: effects}
	}
	list := []acts.Folded{
		folded(acts.Act{
			Event: semconv.EventRouteEject, Instance: "orders-2", Rule: "consecutive_failures", Figures: []acts.Figure{{Name: "consecutive", Value: 5, Threshold: 5}},
			Hold: 30 * time.Second, Episode: 2, Instances: 3, Rotation: 2, Effect: &effect,
		}, 1, "storefront/storefront-1"),
		folded(acts.Act{
			Event: semconv.EventRouteEject, Instance: "orders-3", Rule: "fleet_verdict",
			Figures: []acts.Figure{{Name: "failure_ratio", Value: 0.75, Threshold: 0.5}, {Name: "requests", Value: 200, Threshold: 10}},
			Callers: 4, BadCallers: 3, Instances: 3, Rotation: 1, Effect: &effect,
		}, 2, "storefront/storefront-1", "storefront/storefront-2", "batch/batch-1"),
		folded(acts.Act{
			Event: semconv.EventRoutePanic, Figures: []acts.Figure{{Name: "in_rotation", Value: 1. / 3, Threshold: 0.5}}, Instances: 3, Rotation: 1,
		}, 0, "storefront/storefront-1"),
		folded(acts.Act{
			Event: semconv.EventRouteOpen, Route: "checkout", Rule: "fleet", Callers: 4, BadCallers: 3, Figures: []acts.Figure{{Name: "requests", Value: 1, Threshold: 1}},
			Why:    "route checkout is open (fleet): 0 % of the requests go; 27 of 40 requests failed, 3 of 4 callers saw it bad (thresholds: 50 % of 20 requests, 3 callers)",
			Effect: &acts.Effect{ErrorsBefore: 1, RequestsBefore: 20},
		}, 1, "\x1b[31mevil/1"),
		folded(acts.Act{Event: semconv.EventRouteHalfOpen, Rule: "fleet", Why: "the service is half open"}, 0, "batch/batch-1"),
		folded(acts.Act{
			Event: semconv.EventRouteEject, Observed: true, Instance: "orders-1", Rule: "latency",
			Figures: []acts.Figure{{Name: "latency", Value: 0.25, Threshold: 0.1}}, Instances: 3, Rotation: 3,
		}, 0, "batch/batch-1"),
		folded(acts.Act{Event: semconv.EventRouteReadmit, Instance: "orders-2", Rule: "probes_succeeded", Instances: 3, Rotation: 3}, 0, "storefront/storefront-1"),
	}
	list[2].Stored = at.Add(-2 * time.Minute) // so long ago that its effect will not be told
	for name, a := range map[string]*Acts{
		"acts.txt":         {Within: 900, Older: true, List: list, now: at.Add(11 * time.Second)},
		"acts-day.txt":     {Within: 86400, List: list[:1], now: at.Add(20 * time.Hour)},
		"acts-none.txt":    {Within: 900, List: []acts.Folded{}, now: at},
		"acts-room.txt":    {Within: 86400, Older: true, Since: at.Add(-time.Hour), List: list[1:2], now: at.Add(11 * time.Second)},
		"acts-late.txt":    {Within: 900, Late: true, List: list[2:3], now: at.Add(11 * time.Second)},
		"acts-unknown.txt": {Within: 86400, Since: at.Add(-time.Hour), List: []acts.Folded{}, now: at},
		"acts-much.txt":    {Within: 900, Older: true, List: []acts.Folded{}, now: at},
		"acts-missing.txt": NoActs(15*time.Minute, "NATS at nats://127.0.0.1:4222\n does not answer"),
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			a.print(&b)
			golden(t, name, b.Bytes())
		})
	}
}

// Whoever may tell of acts may write anything, and as much of it as an event holds.
func TestAnActMovesNoCursorAndIsAsLongAsALine(t *testing.T) {
	evil := "\u009b2J\u202e\x1b[2J\u0085" + strings.Repeat("x", 10_000)
	f := acts.Folded{
		Act:    acts.Act{Event: semconv.EventRouteEject, Instance: evil, Rule: evil, Figures: []acts.Figure{{Name: evil}}},
		Stored: time.Now(), By: []string{evil, evil},
	}
	because := f
	because.Event, because.Route, because.Why = semconv.EventRouteOpen, evil, evil
	var b bytes.Buffer
	(&Acts{Within: 900, List: []acts.Folded{f, because}, now: time.Now()}).print(&b)
	for _, text := range strings.Split(b.String(), "\n") {
		if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%.80q holds what is not printed", text[i:])
		}
		if n := utf8.RuneCountInString(text); n > 600 {
			t.Errorf("%.80q is of %d runes", text, n)
		}
	}
}

func TestAnAnswerHasTheActsOfTheRouterThatWasAsked(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.Local)
	did := acts.Act{At: at, Event: semconv.EventRouteReadmit, Instance: "orders-2", Rule: "probes_succeeded", Instances: 3, Rotation: 3, Effect: &acts.Effect{}}
	var b bytes.Buffer
	if err := (&Answer{Request: "GET /", Explanation: router.Explanation{Service: "orders", Policy: "adaptive", Acts: []acts.Act{did}}}).Print(&b); err != nil {
		t.Fatal(err)
	}
	// It was long ago, so it is told with its day.
	const want = `
acts of this router, the newest last:
2026-01-02 15:04:05  readmit orders-2
          probes succeeded; 3 of 3 in rotation
          10 s before → after: errors - → -, p99 - → -, of 0 → 0 attempts
`
	if !bytes.HasSuffix(b.Bytes(), []byte(want)) {
		t.Errorf("got:\n%s\nwant at its end:\n%s", b.Bytes(), want)
	}
}
