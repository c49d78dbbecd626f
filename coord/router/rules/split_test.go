// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/otelplat/platform/internal/stablehash"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// split makes arms a0, a1, … of weights; 0 is none.
func split(weights []float64) []arm {
	var arms []arm
	for i, w := range weights {
		if name := fmt.Sprint("a", i); w > 0 {
			arms = append(arms, arm{variant{name: name}, w, stablehash.Text(name)})
		}
	}
	return arms
}

// weights returns 2 to 16 of them, of several magnitudes.
func weights(r *rand.Rand) []float64 {
	w := make([]float64, 2+r.IntN(maxArms-1))
	for i := range w {
		w[i] = math.Pow(10, 3*r.Float64()-1)
	}
	return w
}

func sum(weights []float64) (total float64) {
	for _, w := range weights {
		total += w
	}
	return total
}

const keys = 40_000

// place returns where each of the keys goes.
func place(arms []arm) []string {
	to := make([]string, keys)
	for i := range to {
		to[i] = choose(arms, stablehash.Text(fmt.Sprint("user-", i))).variant.name
	}
	return to
}

// near reports whether a count of the keys is what a probability lets expect, within five
// standard deviations: one of two million tests fails by chance, and the seeds are fixed.
func near(count int, p float64) bool {
	return math.Abs(float64(count)-keys*p) <= 5*math.Sqrt(keys*p*(1-p))+1
}

func TestEachArmHasItsShare(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 8 {
		w := weights(r)
		got := make(map[string]int)
		for _, to := range place(split(w)) {
			got[to]++
		}
		for i := range w {
			if n := got[fmt.Sprint("a", i)]; !near(n, w[i]/sum(w)) {
				t.Errorf("arm %d of %v has %d of %d keys, want %.0f", i, w, n, keys, keys*w[i]/sum(w))
			}
		}
	}
}

func TestANewArmTakesItsShareAndMovesNobodyElse(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 8 {
		w := weights(r)
		added := r.IntN(len(w))
		before := append([]float64(nil), w...)
		before[added] = 0
		was, is := place(split(before)), place(split(w))
		moved := 0
		for i := range was {
			if was[i] == is[i] {
				continue
			}
			moved++
			if is[i] != fmt.Sprint("a", added) {
				t.Fatalf("key %d moved from %s to %s when a%d was added", i, was[i], is[i], added)
			}
		}
		if !near(moved, w[added]/sum(w)) {
			t.Errorf("a%d of %v took %d of %d keys, want %.0f", added, w, moved, keys, keys*w[added]/sum(w))
		}
	}
}

func TestAnotherWeightMovesTheDifferenceOnly(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 8 {
		w := weights(r)
		changed := r.IntN(len(w))
		greater := append([]float64(nil), w...)
		greater[changed] *= 1 + 3*r.Float64()
		was, is := place(split(w)), place(split(greater))
		moved := 0
		for i := range was {
			if was[i] == is[i] {
				continue
			}
			moved++
			if is[i] != fmt.Sprint("a", changed) {
				t.Fatalf("key %d moved from %s to %s when a%d got more", i, was[i], is[i], changed)
			}
		}
		if want := greater[changed]/sum(greater) - w[changed]/sum(w); !near(moved, want) {
			t.Errorf("a%d from %v to %v took %d of %d keys, want %.0f", changed, w, greater[changed], moved, keys, keys*want)
		}
	}
}

func TestTheOrderOfArmsDoesNotCount(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	arms := split(weights(r))
	shuffled := append([]arm(nil), arms...)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	was, is := place(arms), place(shuffled)
	for i := range was {
		if was[i] != is[i] {
			t.Fatalf("key %d is at %s, and with the arms in another order at %s", i, was[i], is[i])
		}
	}
}

// user is a request of one user.
func user(i int) *Request { return &Request{Header: http.Header{"X-User": {fmt.Sprint("user-", i)}}} }

func TestAGreaterPercentageOnlyAddsCallers(t *testing.T) {
	in := func(percent float64) []bool {
		table := compile(t, fmt.Sprintf("routes: [{name: part, percent: %v, sticky: {header: x-user}}]", percent))
		are, n := make([]bool, keys), 0
		for i := range are {
			if are[i] = table.Route(user(i), never).Route == "part"; are[i] {
				n++
			}
		}
		if !near(n, percent/100) {
			t.Errorf("%v %% are %d of %d", percent, n, keys)
		}
		return are
	}
	before := in(0.1)
	for _, percent := range []float64{1, 12.5, 50, 99.9, 100} {
		now := in(percent)
		for i := range before {
			if before[i] && !now[i] {
				t.Fatalf("user %d left when it became %v %%", i, percent)
			}
		}
		before = now
	}
}

// A tenth of a tenth is a hundredth: else those who are in one route would be all who are in
// the next, or none of them, and the arms of a part would not be those of the whole.
func TestPlacesInRoutesAndArmsAreIndependent(t *testing.T) {
	table := compile(t, `
variants: {x: {version: 1}, y: {version: 2}}
routes:
- {name: a, percent: 20, sticky: {header: x-user}, split: [{variant: x}, {variant: y, weight: 3}]}
- {name: b, percent: 20, sticky: {header: x-user}, split: [{variant: x}, {variant: y, weight: 3}]}
`)
	got := make(map[string]int)
	for i := range keys {
		d := table.Route(user(i), never)
		got[d.Route+d.Variant]++
	}
	for place, want := range map[string]float64{"ax": 0.05, "ay": 0.15, "bx": 0.04, "by": 0.12, "": 0.64} {
		if !near(got[place], want) {
			t.Errorf("%d of %d are at %q, want %.0f", got[place], keys, place, keys*want)
		}
	}
}

func TestACallerHasOneVariantInRoutesThatSplitAlike(t *testing.T) {
	table := compile(t, `
variants: {x: {version: 1}, y: {version: 2}}
routes:
- {name: a, match: {methods: [GET]}, sticky: {header: x-user}, split: [{variant: x}, {variant: y}]}
- {name: b, match: {methods: [PUT]}, sticky: {header: x-user}, split: [{variant: y}, {variant: x}]}
`)
	for i := range 1000 {
		get, put := user(i), user(i)
		get.Method, put.Method = "GET", "PUT"
		if a, b := table.Route(get, never).Variant, table.Route(put, never).Variant; a != b {
			t.Fatalf("user %d has %s and %s", i, a, b)
		}
	}
}

// Every version of the platform must place a caller alike, or a fleet that is being updated
// sends it hither and thither.
func TestGoldenPlaces(t *testing.T) {
	const golden = "testdata/places.v1.txt"
	table := compile(t, `
variants: {stable: {version: 1}, canary: {version: 2}, next: {version: 3}}
routes:
- {name: part, percent: 25, sticky: {header: x-user}}
- {name: rest, sticky: {header: x-user}, split: [{variant: stable, weight: 7}, {variant: canary, weight: 2}, {variant: next}]}
`)
	var b strings.Builder
	for i := range 64 {
		d := table.Route(user(i), never)
		fmt.Fprintf(&b, "user-%d %s %s\n", i, d.Route, d.Variant)
	}
	d := table.Route(&Request{Header: http.Header{"X-User": {"日本"}}}, never)
	fmt.Fprintf(&b, "日本 %s %s\n", d.Route, d.Variant)
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("callers are placed elsewhere than by the first release:\n%s\nwant\n%s", b.String(), want)
	}
}

func TestUnitIsWithinItsBounds(t *testing.T) {
	for _, h := range []uint64{0, 1, math.MaxUint64, math.MaxUint64 - 1, 1 << 63} {
		if u := unit(h); !(0 < u && u < 1) {
			t.Errorf("%x is %v", h, u)
		}
	}
}
