// SPDX-License-Identifier: Apache-2.0

package acts

import (
	"slices"
	"time"
)

// FoldWithin is how far apart equal acts of several processes may be stored and still be
// one: routers look at their breakers and at the fleet's verdicts once a second, and each
// process and the collector send what they told in batches, mostly a second apart.
const FoldWithin = 5 * time.Second

// Folded is an act, and who did it alike. What is said of the act itself, its time and its
// figures among that, is of the process whose event was stored first.
//
// Its effect is of all of them whose effect is known: the part of their attempts together
// that failed, how many attempts there were, and of their p99 the highest, for quantiles do
// not add up.
type Folded struct {
	Act
	Stored  time.Time // the first of them, by the store's clock
	By      []string  // the processes, as service/instance, by when their events were stored
	Effects int       // of them, how many have told the effect
}

// Fold makes one of acts that several processes did alike: the same thing to the same
// instance, route or service by the same rule, stored within a time after the first. A
// process that did it again begins another. The acts are in the order of [Join].
func Fold(told []Told, within time.Duration) []Folded {
	type key struct {
		event, service, instance, route, rule string
		observed                              bool
	}
	var folded []Folded
	var sums []sum
	open := make(map[key]int) // the last of its kind
	for i := range told {
		t := &told[i]
		k := key{t.Event, t.Service, t.Instance, t.Route, t.Rule, t.Observed}
		at, there := open[k]
		if !there || t.Stored.Sub(folded[at].Stored) > within || slices.Contains(folded[at].By, t.By) {
			at = len(folded)
			open[k] = at
			folded, sums = append(folded, Folded{Act: t.Act, Stored: t.Stored}), append(sums, sum{})
		}
		folded[at].By = append(folded[at].By, t.By)
		if t.Effect != nil {
			folded[at].Effects++
			sums[at].add(t.Effect)
			folded[at].Effect = sums[at].effect()
		}
	}
	return folded
}

// sum is the effect of several processes' acts.
type sum struct {
	before, after       uint64
	failures, afterward float64
	p99, p99After       time.Duration
}

func (s *sum) add(e *Effect) {
	s.before += e.RequestsBefore
	s.after += e.RequestsAfter
	s.failures += e.ErrorsBefore * float64(e.RequestsBefore)
	s.afterward += e.ErrorsAfter * float64(e.RequestsAfter)
	s.p99, s.p99After = max(s.p99, e.P99Before), max(s.p99After, e.P99After)
}

func (s *sum) effect() *Effect {
	return &Effect{
		ErrorsBefore: s.failures / float64(max(s.before, 1)), ErrorsAfter: s.afterward / float64(max(s.after, 1)),
		P99Before: s.p99, P99After: s.p99After, RequestsBefore: s.before, RequestsAfter: s.after,
	}
}
