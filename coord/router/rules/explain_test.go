// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

const explained = `
variants: {stable: {version: "1"}, canary: {version: "2"}}
routes:
- name: testers
  match: {headers: {x-tester: {present: true}}}
  split: [{variant: canary}]
- name: some
  match: {path: {prefix: /shop/}}
  percent: 40
  split: [{variant: stable, weight: 3}, {variant: canary}]
  sticky: {header: x-user}
- name: rest
  match: {methods: [GET]}
- name: never
  match: {caller: {zone: z9}}
`

func explainedTable(t *testing.T) *Table {
	t.Helper()
	doc, err := Parse([]byte(explained))
	if err != nil {
		t.Fatal(err)
	}
	table, err := doc.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestAnExplanationSaysWhatEachRouteMakesOfARequest(t *testing.T) {
	table := explainedTable(t)
	for _, tt := range []struct {
		name   string
		r      Request
		misses string // of all routes, divided by semicolons
		shares []float64
	}{
		{
			"a request that the first takes leaves nothing to the others",
			Request{Method: "GET", Path: "/shop/1", Header: map[string][]string{"X-Tester": {"1"}}},
			";a route before it takes all of them;a route before it takes all of them;match.caller.zone", []float64{1, 0, 0, 0},
		},
		{
			"without a sticky value chance decides, so that both have a part",
			Request{Method: "GET", Path: "/shop/1"},
			"match.headers.x-tester;;;match.caller.zone", []float64{0, 0.4, 0.6, 0},
		},
		{
			"what nobody takes goes to all instances",
			Request{Method: "PUT", Path: "/other"},
			"match.headers.x-tester;match.path;match.methods;match.caller.zone", []float64{0, 0, 0, 0},
		},
		{
			"an RPC has no path",
			Request{GRPC: "/shop.Orders/Get"},
			"match.headers.x-tester;match.path;match.methods;match.caller.zone", []float64{0, 0, 0, 0},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var misses []string
			for i, s := range table.Explain(&tt.r) {
				misses = append(misses, s.Misses)
				if math.Abs(s.Share-tt.shares[i]) > 1e-9 {
					t.Errorf("route %s takes %g, want %g", s.Route, s.Share, tt.shares[i])
				}
			}
			if got := strings.Join(misses, ";"); got != tt.misses {
				t.Errorf("misses %q, want %q", got, tt.misses)
			}
		})
	}
}

// What an explanation promises is what routing does: with a sticky value to the letter,
// without one in the long run.
func TestAnExplanationAgreesWithRouting(t *testing.T) {
	table := explainedTable(t)
	for i := range 1000 {
		r := Request{Method: "GET", Path: "/shop/1", Header: map[string][]string{"X-User": {"u" + strconv.Itoa(i)}}}
		d := table.Route(&r, nil)
		for _, s := range table.Explain(&r) {
			if took := s.Route == d.Route; took != (s.Share == 1) || took && len(s.Arms) > 0 && (len(s.Arms) != 1 || s.Arms[0] != Part{d.Variant, 1}) {
				t.Fatalf("user %d is routed to %s, and explained as %+v", i, d.String(), s)
			}
		}
	}
	const n = 100_000
	got := make(map[[2]string]float64)
	random := rand.New(rand.NewPCG(1, 2)).Uint64
	r := Request{Method: "GET", Path: "/shop/1"}
	for range n {
		d := table.Route(&r, random)
		got[[2]string{d.Route, d.Variant}] += 1. / n
	}
	for _, s := range table.Explain(&r) {
		arms := s.Arms
		if arms == nil {
			arms = []Part{{"", s.Share}}
		}
		for _, a := range arms {
			if is := got[[2]string{s.Route, a.Variant}]; math.Abs(is-a.Share) > 0.01 {
				t.Errorf("route %s sent %.3f to %q, explained as %.3f", s.Route, is, a.Variant, a.Share)
			}
		}
	}
}

func TestTheDefaultTextIsTheDefaults(t *testing.T) {
	if text := DefaultText(); text != docBlocks(t)[0] {
		t.Errorf("defaults.yaml and doc.go differ:\n%s", text)
	}
}
