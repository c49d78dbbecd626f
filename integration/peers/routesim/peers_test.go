// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// What was published of the peers must come out, else the simulation says nothing of ours.

func TestPrequalHasNoErrorsAndIsNearTheOracle(t *testing.T) {
	o := simulate(t, "-policies prequal,oracle -loads 0.70,0.90,1.03,1.27,1.74")
	for load, f := range o[prequal] {
		if f.Errors > 0 {
			t.Errorf("%s of errors at %.2f, want none", percent(f.Errors), load)
		}
		if best := o["oracle"][load]; load <= 1.03 && f.P99 > 1.4*best.P99 {
			t.Errorf("p99 at %.2f is %.0f ms, want at most 1.4 times the oracle's %.0f", load, f.P99, best.P99)
		}
	}
}

// The paper's p99 grows by 2 % from 0.70 to 0.90, a prototype's of this simulation by 3 %.
func TestPrequalHardlyNoticesTheLoadBelowTheAllocation(t *testing.T) {
	o := simulate(t, "-policies prequal -loads 0.70,0.90")
	if from, to := o[prequal][0.70].P99, o[prequal][0.90].P99; to > 1.06*from {
		t.Errorf("p99 grows from %.0f to %.0f ms, want 6 %% at most", from, to)
	}
}

func TestTwoChoicesByLatencyBeatThoseByLoadBeatChance(t *testing.T) {
	o := simulate(t, "-policies random,p2c-ll,p2c-ewma -loads "+loads("0.90"))
	for load, ewma := range o["p2c-ewma"] {
		ll, random := o["p2c-ll"][load], o["random"][load]
		if !(ewma.P99 < ll.P99 && ll.P99 <= random.P99) {
			t.Errorf("p99 at %.2f: %.0f, %.0f and %.0f ms, want them to rise", load, ewma.P99, ll.P99, random.P99)
		}
	}
}

func TestWeightedRoundRobinRunsIntoTheDeadlineAsSoonAsItIsOverloaded(t *testing.T) {
	o := simulate(t, "-policies wrr -loads 1.03")
	if f := o["wrr"][1.03]; f.P999 < 5000 {
		t.Errorf("p99.9 is %.0f ms, want the deadline", f.P999)
	}
}

// At 0.70, where two choices are not lost without it, the gain is less.
func TestLatencyOfTheFleetShortensTheTailOfTwoChoices(t *testing.T) {
	o := simulate(t, "-policies hyb,p2c-ewma -loads "+loads("0.70,1.27"))
	for load, f := range o["hyb"] {
		most := millis(0.8)
		if load == 0.70 {
			most = 0.9
		}
		if own := o["p2c-ewma"][load]; f.P999 > most*own.P999 {
			t.Errorf("p99.9 at %.2f is %.0f ms, want at most %g times the %.0f without the fleet", load, f.P999, most, own.P999)
		}
	}
}

// The guard against the herd: whoever takes the best of a published snapshot meets all the
// others there.
func TestTheBestOfAPublishedSnapshotIsWhereTheHerdIs(t *testing.T) {
	o := simulate(t, "-policies snap-argmin,random -loads 0.70")
	herd, chance := o["snap-argmin"][0.70], o["random"][0.70]
	if herd.Errors < 0.5 || herd.Errors < 10*chance.Errors {
		t.Errorf("%s of errors, want most to fail, where chance has %s", percent(herd.Errors), percent(chance.Errors))
	}
}
