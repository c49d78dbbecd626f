// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"math"
	"testing"
)

func TestAWatchWarnsOnceTellsOfAnExcessAndOfItsEnd(t *testing.T) {
	var w watch
	cut := 0.0
	step := func(used, more float64, want turn, why string) {
		t.Helper()
		cut += more
		if got := w.look(used, cut, 100); got != want {
			t.Errorf("%s: told %d, expected %d", why, got, want)
		}
	}
	step(50, 0, none, "half of the limit")
	step(80, 0, warns, "eight tenths")
	step(95, 0, none, "it was told of")
	step(75, 0, none, "not calm yet")
	step(85, 0, none, "still the same warning")
	step(60, 0, none, "calm")
	step(80, 0, warns, "again")
	step(120, 10, exceeds, "something was cut")
	step(120, 10, none, "it was told of")
	step(90, 0, none, "nothing is cut")
	step(120, 5, none, "again, within a minute")
	for range calm - 1 {
		step(90, 0, none, "not a minute yet")
	}
	step(90, 0, ends, "a minute without a cut")
	if w.since-calm != 3 || w.cut-w.began != 25 {
		t.Errorf("the excess was %d s long and cut %v, expected 3 s and 25", w.since-calm, w.cut-w.began)
	}
	step(90, 0, none, "it was told that it is near")
	step(10, 1, exceeds, "a cut far from the limit is one too")
	var unlimited watch
	if unlimited.look(1e9, 0, 0) != none {
		t.Error("0 is no limit")
	}
}

func TestTheMeanOfAMinuteIsNotThatOfABurst(t *testing.T) {
	var w watch
	asked, highest := 0.0, 0.0
	for second := range 1200 {
		if second%60 == 0 {
			asked += 600 // an exporter that sends once a minute
		}
		mean := w.rate(asked)
		if second > 600 {
			highest = math.Max(highest, mean)
		}
	}
	if highest > 16 {
		t.Errorf("600 points once a minute are %.1f a second", highest)
	}
}
