// SPDX-License-Identifier: Apache-2.0

package acts

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"
)

func TestEqualActsFold(t *testing.T) {
	tell := func(a Act, by string, after time.Duration) Told {
		return Told{Act: a, By: by, Stored: noon.Add(after)}
	}
	elsewhere, otherwise, third := ejection, ejection, opening
	elsewhere.Instance, otherwise.Rule, third.Route = "orders-3", "fleet_verdict", ""
	readmitted := ejection
	readmitted.Event = "otelplat.route.readmit"
	figures := ejection
	figures.Figures, figures.Hold, figures.Episode = []Figure{{"failure_ratio", 1, 0.5}}, time.Minute, 7
	for _, tt := range []struct {
		name string
		told []Told
		want []string // what, seconds after noon, processes
	}{
		{"there is nothing", nil, nil},
		{
			"one act of three processes, whose figures differ, is one",
			[]Told{tell(ejection, "a", 0), tell(figures, "b", time.Second), tell(ejection, "c", 5*time.Second)},
			[]string{"otelplat.route.eject orders-2 0 [a b c]"},
		},
		{
			"what came later than that is another",
			[]Told{tell(ejection, "a", 0), tell(ejection, "b", 4*time.Second), tell(ejection, "c", 6*time.Second), tell(ejection, "d", 10*time.Second)},
			[]string{"otelplat.route.eject orders-2 0 [a b]", "otelplat.route.eject orders-2 6 [c d]"},
		},
		{
			"a process that did it again begins another",
			[]Told{tell(ejection, "a", 0), tell(ejection, "b", 1*time.Second), tell(ejection, "a", 2*time.Second), tell(ejection, "b", 3*time.Second)},
			[]string{"otelplat.route.eject orders-2 0 [a b]", "otelplat.route.eject orders-2 2 [a b]"},
		},
		{
			"another instance, rule or route is another act",
			[]Told{tell(ejection, "a", 0), tell(elsewhere, "b", 0), tell(otherwise, "c", 0), tell(opening, "d", 0), tell(third, "e", 0), tell(would, "f", 0)},
			[]string{
				"otelplat.route.eject orders-2 0 [a]", "otelplat.route.eject orders-3 0 [b]", "otelplat.route.eject orders-2 0 [c]",
				"otelplat.route.open  0 [d]", "otelplat.route.open  0 [e]", "otelplat.route.eject orders-2 0 [f]",
			},
		},
		{
			"what others did in between does not matter",
			[]Told{tell(ejection, "a", 0), tell(readmitted, "a", time.Second), tell(ejection, "b", 2*time.Second)},
			[]string{"otelplat.route.eject orders-2 0 [a b]", "otelplat.route.readmit orders-2 1 [a]"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range Fold(tt.told, FoldWithin) {
				got = append(got, fmt.Sprint(f.Event, " ", f.Instance, " ", f.Stored.Sub(noon).Seconds(), " ", f.By))
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheEffectOfFoldedActsIsOfAllWhoseIsKnown(t *testing.T) {
	of := func(a Act, by string) Told { return Told{Act: a, By: by, Stored: noon} }
	quiet := Effect{ErrorsBefore: 1, P99After: 10 * time.Millisecond, RequestsBefore: 10, RequestsAfter: 0}
	busy := Effect{ErrorsBefore: 0.1, ErrorsAfter: 0.5, P99Before: 3 * time.Second, P99After: time.Millisecond, RequestsBefore: 90, RequestsAfter: 4}
	for _, tt := range []struct {
		name   string
		told   []Told
		known  int
		effect *Effect
	}{
		{"none is known", []Told{of(ejection, "a"), of(ejection, "b")}, 0, nil},
		{"one is known", []Told{of(ejection, "a"), of(with(ejection, busy), "b")}, 1, &busy},
		{
			"ratios count by the attempts, and the highest p99 stays",
			[]Told{of(with(ejection, quiet), "a"), of(with(ejection, busy), "b"), of(ejection, "c")}, 2,
			&Effect{ErrorsBefore: 0.19, ErrorsAfter: 0.5, P99Before: 3 * time.Second, P99After: 10 * time.Millisecond, RequestsBefore: 100, RequestsAfter: 4},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folded := Fold(tt.told, FoldWithin)
			if len(folded) != 1 || folded[0].Effects != tt.known || !reflect.DeepEqual(folded[0].Effect, tt.effect) {
				t.Errorf("got %+v, of which the effect is %+v; want %+v of %d", folded, folded[0].Effect, tt.effect, tt.known)
			}
		})
	}
	if quiet.RequestsBefore != 10 || busy.RequestsBefore != 90 {
		t.Error("folding has changed the effects that it was given")
	}
}

var update = flag.Bool("update", false, "rewrite the golden file")

// The form of the JSON is a promise to programs.
func TestTheFormOfFoldedActsAsJSON(t *testing.T) {
	effect := Effect{ErrorsBefore: 0.25, P99Before: 200 * time.Millisecond, P99After: 12 * time.Millisecond, RequestsBefore: 80, RequestsAfter: 75}
	told := []Told{{with(ejection, effect), "storefront/1", noon}, {ejection, "storefront/2", noon}, {opening, "batch/1", noon}, {would, "batch/1", noon}}
	got, err := json.MarshalIndent(Fold(told, FoldWithin), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const golden = "testdata/folded.json"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
