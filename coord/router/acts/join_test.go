// SPDX-License-Identifier: Apache-2.0

package acts

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/log"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// stored is the event of a record, as it comes back from a store that keeps its attributes
// as JSON.
func stored(t testing.TB, r log.Record, by string, at time.Time) Event {
	t.Helper()
	attributes := make(map[string]any)
	for kv := range r.WalkAttributes {
		attributes[string(kv.Key)] = kv.Value.AsInterface()
	}
	e := Event{Name: r.EventName(), By: by, At: r.Timestamp(), Stored: at, Body: r.Body().AsString()}
	e.ID, _ = attributes[semconv.LogRecordUID].(string)
	delete(attributes, semconv.LogRecordUID)
	text, err := json.Marshal(attributes)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &e.Attributes); err != nil {
		t.Fatal(err)
	}
	return e
}

var (
	ejection = Act{
		ID: "1", At: noon, Event: semconv.EventRouteEject, Service: "orders", Instance: "orders-2", Variant: "canary", Zone: "z1",
		Rule: "failure_ratio", Figures: []Figure{{"failure_ratio", 0.75, 0.5}, {"requests", 12, 10}},
		Callers: 4, BadCallers: 3, Hold: 30 * time.Second, Episode: 2, Instances: 3, Rotation: 2,
	}
	opening = Act{
		ID: "2", At: noon, Event: semconv.EventRouteOpen, Service: "orders", Route: "checkout", Rule: "local", Why: "route checkout is open",
		Figures: []Figure{{"failure_ratio", 1, 0.5}, {"requests", 20, 20}}, Episode: 1,
	}
	panicking = Act{ID: "3", At: noon, Event: semconv.EventRoutePanic, Service: "orders", Instances: 4, Rotation: 0}
	would     = Act{
		ID: "4", At: noon, Event: semconv.EventRouteEject, Observed: true, Service: "orders", Instance: "orders-2",
		Rule: "consecutive_failures", Figures: []Figure{{"consecutive", 5, 5}}, Instances: 3, Rotation: 3,
	}
)

// with returns an act with an effect.
func with(a Act, e Effect) Act {
	a.Effect = &e
	return a
}

func TestWhatIsToldOfAnActIsReadAgain(t *testing.T) {
	effect := Effect{ErrorsBefore: 0.25, P99Before: 200 * time.Millisecond, P99After: 12 * time.Millisecond, RequestsBefore: 80, RequestsAfter: 75}
	for name, want := range map[string]Act{
		"an ejection": ejection, "a breaker of a route": opening, "panic": panicking, "what would have been done": would,
		"an ejection with its effect": with(ejection, effect), "a breaker with its effect": with(opening, effect),
	} {
		t.Run(name, func(t *testing.T) {
			events := []Event{stored(t, want.Record(), "storefront/1", noon)}
			if want.Effect != nil {
				events = append(events, stored(t, want.EffectRecord(NewID(), noon), "storefront/1", noon.Add(12*time.Second)))
			}
			got := Join(events, "orders")
			if len(got) != 1 || got[0].By != "storefront/1" || !got[0].Stored.Equal(noon) || !reflect.DeepEqual(got[0].Act, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestEventsJoin(t *testing.T) {
	tell := func(a Act, by string, after time.Duration) Event { return stored(t, a.Record(), by, noon.Add(after)) }
	effect := func(a Act, by string, ratio float64) Event {
		a = with(a, Effect{ErrorsAfter: ratio})
		return stored(t, a.EffectRecord(NewID(), noon), by, noon.Add(time.Minute))
	}
	other := ejection
	other.ID = "other"
	elsewhere := ejection
	elsewhere.Service = "users"
	for _, tt := range []struct {
		name   string
		events []Event
		want   []string // process, id, error ratio after
	}{
		{"there is nothing", nil, nil},
		{
			"an effect belongs to the act that it names, whatever came between",
			[]Event{tell(ejection, "a", 0), tell(other, "a", 1), effect(other, "a", 0.5), effect(ejection, "a", 0.25)},
			[]string{"a 1 0.25", "a other 0.5"},
		},
		{
			"processes that have made the same id are two all the same",
			[]Event{tell(ejection, "a", 0), tell(ejection, "b", 1), effect(ejection, "b", 0.5)},
			[]string{"a 1 -", "b 1 0.5"},
		},
		{"an effect whose act is not there is nothing", []Event{effect(ejection, "a", 1)}, nil},
		{"what was stored twice is one act", []Event{tell(ejection, "a", 0), tell(ejection, "a", 1)}, []string{"a 1 -"}},
		{"the order is that of the store", []Event{tell(other, "a", 2), tell(ejection, "a", 1)}, []string{"a 1 -", "a other -"}},
		{"acts upon other services are left out", []Event{tell(elsewhere, "a", 0)}, nil},
		{
			"what tells of no act is passed over",
			[]Event{
				{Name: "otelplat.route.override", Attributes: map[string]any{semconv.RouteService: "orders"}},
				{Name: semconv.EventRouteWould, Attributes: map[string]any{semconv.RouteService: "orders", semconv.RouteAct: 7.0}},
				{Name: semconv.EventRouteEject},
			},
			nil,
		},
		{
			"so is an act upon what has no name that anything can have",
			[]Event{
				{Name: semconv.EventRouteEject, Attributes: map[string]any{semconv.RouteService: "orders", semconv.RouteInstance: "\u009b2J"}},
				{Name: semconv.EventRouteOpen, Attributes: map[string]any{semconv.RouteService: "orders", semconv.RouteRoute: "check\u202eout"}},
			},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, a := range Join(tt.events, "orders") {
				ratio := "-"
				if a.Effect != nil {
					text, _ := json.Marshal(a.Effect.ErrorsAfter)
					ratio = string(text)
				}
				got = append(got, a.By+" "+a.ID+" "+ratio)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNumbersThatOthersWroteAreBounded(t *testing.T) {
	e := Event{Name: semconv.EventRouteEject, Attributes: map[string]any{
		semconv.RouteService: "orders", semconv.RouteHold: 1e300, semconv.RouteEpisode: -7.0, semconv.RouteCallers: 1e300, semconv.RouteInstances: "many",
	}}
	a := Join([]Event{e}, "orders")[0]
	if a.Hold != maxNumber*time.Second || a.Episode != 0 || a.Callers != maxNumber || a.Instances != 0 {
		t.Errorf("got %+v", a.Act)
	}
}

// What is forged or broken may be wrong, but hides no other act: all of them can be written.
func TestAnEffectThatCannotBeIsWrittenAllTheSame(t *testing.T) {
	for name, tt := range map[string]struct{ before, after, want any }{
		"more than all of them failed": {1e308, 1e308, 1.0},
		"less than none did":           {-1e308, -1e308, 0.0},
		"the two cancel out":           {1e308, -1e308, nil},
		"no number":                    {math.NaN(), math.Inf(1), 0.0},
	} {
		t.Run(name, func(t *testing.T) {
			forged := func(by string) []Event {
				return []Event{stored(t, ejection.Record(), by, noon), {
					Name: semconv.EventRouteEffect, By: by, At: noon, Stored: noon, Attributes: map[string]any{
						semconv.RouteService: "orders", semconv.RouteActID: ejection.ID,
						semconv.RouteErrorsBefore: tt.before, semconv.RouteErrorsAfter: tt.after,
						semconv.RouteRequestsBefore: 100.0, semconv.RouteRequestsAfter: 100.0,
					},
				}}
			}
			folded := Fold(Join(append(forged("a"), forged("b")...), "orders"), FoldWithin)
			if _, err := json.Marshal(folded); err != nil {
				t.Fatal(err)
			}
			if len(folded) != 1 || folded[0].Effect == nil {
				t.Fatalf("got %+v, want one act with its effect", folded)
			}
			before, after := folded[0].Effect.ErrorsBefore, folded[0].Effect.ErrorsAfter
			for _, ratio := range []float64{before, after} {
				if ratio < 0 || ratio > 1 || tt.want != nil && ratio != tt.want {
					t.Errorf("a ratio of errors is %v, want %v", ratio, tt.want)
				}
			}
		})
	}
}

func TestATimeThatCannotBeWrittenIsThatOfTheStore(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -3600*2)),
		time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		e := stored(t, ejection.Record(), "a", noon)
		e.At = at
		a := Join([]Event{e}, "orders")[0]
		if !a.At.Equal(noon) {
			t.Errorf("%v is told as %v, want the store's time", at, a.At)
		}
	}
}

// effectLike returns the effect of an act, of the same attributes.
func effectLike(e Event) Event {
	attributes := map[string]any{semconv.RouteActID: e.ID}
	maps.Copy(attributes, e.Attributes)
	e.Name, e.Attributes = semconv.EventRouteEffect, attributes
	return e
}

func FuzzJoin(f *testing.F) {
	for _, a := range []Act{with(ejection, Effect{}), with(opening, Effect{})} {
		for _, r := range []log.Record{a.Record(), a.EffectRecord(NewID(), noon)} {
			e := stored(f, r, "a", noon)
			text, err := json.Marshal(e.Attributes)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(e.Name, text)
		}
	}
	f.Add(semconv.EventRouteEject, []byte(`{"otelplat.route.service":"orders","otelplat.route.errors.before":1e308,"otelplat.route.errors.after":-1e308,"otelplat.route.requests.before":100}`))
	f.Fuzz(func(t *testing.T, name string, attributes []byte) {
		e := Event{ID: "1", Name: name, By: "a", At: noon, Stored: noon}
		if json.Unmarshal(attributes, &e.Attributes) != nil {
			return
		}
		told := Join([]Event{e, e}, e.text(semconv.RouteService))
		if len(told) > 1 {
			t.Fatalf("one event is %d acts", len(told))
		}
		// With the effect twice, each of which counts.
		other := e
		other.By = "b"
		if _, err := json.Marshal(Fold(Join([]Event{e, other, effectLike(e), effectLike(other)}, e.text(semconv.RouteService)), FoldWithin)); err != nil {
			t.Error(err)
		}
		for _, a := range told {
			if a.Hold < 0 || a.Episode < 0 || a.Callers < 0 || a.Instances < 0 || a.Rotation < 0 {
				t.Errorf("below 0: %+v", a)
			}
			if _, err := json.Marshal(a.Act); err != nil {
				t.Error(err)
			}
		}
	})
}
