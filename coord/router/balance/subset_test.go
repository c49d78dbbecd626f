// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// partly is a world whose caller knows a part of the instances.
func partly(t testing.TB, instances, least int, part float64) *world {
	w := under(t, Weighted{}, instances)
	w.partly(least, part)
	return w
}

func (w *world) partly(least int, part float64) {
	w.configure(func(s *Settings) { s.Subset, s.Caller, s.Part = least, "me", part })
}

// knownIDs returns whom the caller knows, in order.
func (w *world) knownIDs() (ids []string) {
	for _, n := range w.pool.known {
		ids = append(ids, n.ID())
	}
	return ids
}

func TestASubsetIsAsLargeAsTheCallersPartOfTheTrafficAsksFor(t *testing.T) {
	for _, of := range []struct {
		instances, least int
		part             float64
		want             int
	}{
		{100, 12, 0, 12},     // nobody knows the part yet
		{100, 12, 0.01, 12},  // 2 would do
		{100, 12, 0.2, 40},   // twice its part
		{100, 12, 0.201, 41}, // rounded up
		{100, 12, 0.6, 100},
		{10, 12, 0.01, 10},
		{0, 12, 0.5, 0},
	} {
		w := partly(t, of.instances, of.least, of.part)
		if got := len(w.knownIDs()); got != of.want {
			t.Errorf("%+v: it knows %d", of, got)
		}
		if of.instances > 0 {
			for id := range w.picks(500, nil) {
				if !slices.Contains(w.knownIDs(), id) {
					t.Errorf("%+v: %s got a request, which it does not know", of, id)
				}
			}
		}
	}
}

func TestASubsetGrowsAtOnceAndShrinksWhenHalfWouldDo(t *testing.T) {
	w := partly(t, 100, 12, 0.1)
	for _, of := range []struct {
		part float64
		want int
	}{{0.1, 20}, {0.2, 40}, {0.11, 40}, {0.105, 40}, {0.1, 20}, {0.08, 20}, {0.3, 60}, {0, 12}} {
		w.partly(12, of.part)
		if got := len(w.knownIDs()); got != of.want {
			t.Errorf("with a part of %v it knows %d, want %d", of.part, got, of.want)
		}
	}
}

func TestASubsetDoesNotShrinkBecauseInstancesLeft(t *testing.T) {
	w := partly(t, 40, 12, 0.25)
	w.partly(12, 0.15) // 12 would do, of the 20 that it knows
	w.who = w.who[:18]
	w.update()
	if got := len(w.knownIDs()); got != 18 {
		t.Errorf("it knows %d of 18, though it knew 20 and does not shrink yet", got)
	}
}

func TestWithoutAnIDThereIsNoSubset(t *testing.T) {
	w := newWorld(t, 100)
	w.configure(func(s *Settings) { s.Subset = 12 })
	if got := len(w.knownIDs()); got != 100 {
		t.Errorf("it knows %d of 100: all callers would know the same ones", got)
	}
}

func TestSubsetsOfManyCallersCoverAllEvenly(t *testing.T) {
	w := newWorld(t, 100)
	known := make(map[string]int)
	for i := range 1000 {
		w.configure(func(s *Settings) { s.Subset, s.Caller = 10, fmt.Sprint("caller", i) })
		for _, id := range w.knownIDs() {
			known[id]++
		}
	}
	for i := range 100 { // 100 each, with a deviation of 9.5
		if n := known[fmt.Sprint("i", i)]; n < 60 || n > 140 {
			t.Errorf("i%d is known to %d of a thousand callers, want about 100", i, n)
		}
	}
}

// TestAnInstanceThatComesOrGoesChangesOneOther: the property that rendezvous hashing is for.
func TestAnInstanceThatComesOrGoesChangesOneOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := make([]*Node, rapid.IntRange(2, 60).Draw(t, "instances"))
		for i := range nodes {
			nodes[i] = &Node{id: fmt.Sprint("i", rapid.IntRange(0, 9).Draw(t, "name"), "-", i)}
		}
		size, caller := rapid.IntRange(1, len(nodes)).Draw(t, "size"), rapid.String().Draw(t, "caller")
		gone := rapid.IntRange(0, len(nodes)-1).Draw(t, "gone")
		before := subset(nodes, caller, size)
		after := subset(slices.Delete(slices.Clone(nodes), gone, gone+1), caller, min(size, len(nodes)-1))
		for _, n := range before {
			if n != nodes[gone] && !slices.Contains(after, n) {
				t.Fatalf("%s is no longer known because %s left", n.id, nodes[gone].id)
			}
		}
		grown := subset(nodes, caller, min(size+1, len(nodes)))
		for _, n := range before {
			if !slices.Contains(grown, n) {
				t.Fatalf("%s is no longer known because the subset grew", n.id)
			}
		}
	})
}

func TestWhoIsOutOfServiceOrTakenOutLeavesTheSubset(t *testing.T) {
	w := partly(t, 30, 5, 0)
	ids := w.knownIDs()
	w.pool.Force(w.now, map[string]bool{ids[0]: true})
	if got := w.knownIDs(); len(got) != 5 || slices.Contains(got, ids[0]) {
		t.Errorf("it knows %v, want five, and another for %s", got, ids[0])
	}
}
