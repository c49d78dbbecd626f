// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func BenchmarkRoute(b *testing.B) {
	// routes is a document whose last route takes the request.
	routes := func(n int) *Table {
		var text strings.Builder
		text.WriteString("routes:\n")
		for i := range n {
			fmt.Fprintf(&text, "- {name: r%d, match: {methods: [POST], path: {prefix: /checkout/%d}}}\n", i, 8+n-i)
		}
		text.WriteString("- {name: last}\n")
		return compile(b, text.String())
	}
	for name, table := range map[string]*Table{
		"split/by=cookie":    benchmarkTable(b),
		"document/routes=0":  compile(b, ""),
		"document/routes=10": routes(10),
		"document/routes=99": routes(99),
	} {
		b.Run(name, func(b *testing.B) {
			r := benchmarkRequest()
			b.ReportAllocs()
			for b.Loop() {
				table.Route(r, rand.Uint64)
			}
		})
	}
}

func BenchmarkChoose(b *testing.B) {
	for _, n := range []int{2, 16} {
		b.Run(fmt.Sprintf("arms=%d", n), func(b *testing.B) {
			arms := split(make([]float64, n))
			for i := range n {
				arms = append(arms, arm{weight: float64(i + 1), salt: rand.Uint64()})
			}
			key := rand.Uint64()
			for b.Loop() {
				choose(arms, key)
				key++
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte(route1("percent: 10, split: [{variant: x}, {variant: y, weight: 3}], sticky: {cookie: c}, match: {path: {prefix: /a}}"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
