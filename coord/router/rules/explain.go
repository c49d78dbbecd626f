// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"

	"github.com/otelplat/platform/internal/stablehash"
)

// Step is what one route makes of a request.
type Step struct {
	Route string

	// Misses says why the route takes no such request, "" when it takes some: the part of
	// its match that the request does not meet, or its place beyond the percentage.
	Misses string

	// Share is the part of such requests that the route takes, 0 to 1, those left out that
	// routes before it take. Where a sticky value places the request it is all or nothing.
	Share float64

	// Arms are the variants that those go to, with their parts of Share; nil for all
	// instances.
	Arms []Part
}

// Part is a variant's part of something.
type Part struct {
	Variant string
	Share   float64 // 0 to 1
}

// Explain returns what each route makes of a request, in their order, for people who ask why
// it goes where it goes. Where [Table.Route] draws a random number, Explain has all that can
// come of it. What the shares leave goes to all instances, as the service's settings say.
func (t *Table) Explain(r *Request) []Step {
	left := 1.0
	steps := make([]Step, 0, len(t.routes))
	for i := range t.routes {
		s := t.routes[i].explain(r, left)
		left -= s.Share
		steps = append(steps, s)
	}
	return steps
}

// explain says what a route makes of a request of which so much was left by those before.
func (r *route) explain(req *Request, left float64) Step {
	s := Step{Route: r.name}
	if part, name := r.match.misses(req); part != "" {
		s.Misses = "match." + part
		if name != "" {
			s.Misses += "." + name
		}
		return s
	}
	value := r.sticky.of(req)
	key := stablehash.Text(value)
	s.Share = left * r.part
	switch place := unit(stablehash.Mix(key ^ r.salt)); {
	case r.part == 0:
		s.Misses = "percent: it takes none"
	case left <= 0:
		s.Misses = "a route before it takes all of them"
	case value == "":
	case place >= r.part:
		s.Share = 0
		s.Misses = fmt.Sprintf("percent: its sticky value is at %.4g of 100, the route takes those below %.4g", 100*place, 100*r.part)
	default:
		s.Share = left
	}
	if s.Share <= 0 || len(r.arms) == 0 {
		return s
	}
	if value != "" {
		s.Arms = []Part{{choose(r.arms, key).variant.name, s.Share}}
		return s
	}
	sum := 0.0
	for i := range r.arms {
		sum += r.arms[i].weight
	}
	for i := range r.arms {
		a := &r.arms[i]
		s.Arms = append(s.Arms, Part{a.variant.name, s.Share * a.weight / sum})
	}
	return s
}
