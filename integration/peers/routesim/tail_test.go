// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
)

// within holds the tail of ours to so many times Prequal's, and errors to none.
func within(t *testing.T, theirs, ours map[float64]figures, bound func(load float64) float64) {
	t.Helper()
	for load, f := range ours {
		most, y := millis(bound(load)), theirs[load]
		if f.P99 > most*y.P99 || f.P999 > most*y.P999 {
			t.Errorf("at %.2f p99 is %.2f times Prequal's and p99.9 %.2f times, want %.2f at most", load, f.P99/y.P99, f.P999/y.P999, most)
		}
		if f.Errors > y.Errors+0.0001 { // some requests of a mix cannot be in time anywhere
			t.Errorf("at %.2f %s of errors, want none, or about Prequal's %s", load, percent(f.Errors), percent(y.Errors))
		}
	}
}

func always(bound float64) func(float64) float64 { return func(float64) float64 { return bound } }

func TestTailIsShorterThanPrequalsByTheProbesThatItMaySend(t *testing.T) {
	at := loads("0.70,1.74")
	theirs := simulate(t, "-policies prequal -loads "+at)[prequal]
	for _, tc := range []struct {
		probes string
		bound  func(load float64) float64
	}{
		{"3", func(load float64) float64 {
			if load == 1.74 {
				return 0.87
			}
			return 0.95
		}},
		{"2", always(1.0)},
		{"1", always(1.1)},
	} {
		t.Run(tc.probes+" a request", func(t *testing.T) {
			ours := simulate(t, "-policies adaptive -probes "+tc.probes+" -loads "+at)[adaptive]
			within(t, theirs, ours, tc.bound)
			for load, f := range ours {
				if f.Errors > 0 {
					t.Errorf("%s of errors at %.2f, want none", percent(f.Errors), load)
				}
			}
		})
	}
}

func TestTailWithoutProbesIsShorterThanThatOfTwoChoices(t *testing.T) {
	o := simulate(t, "-policies p2c-ewma,adaptive -probes 0 -loads "+loads("1.27"))
	for load, f := range o[adaptive] {
		if y := o["p2c-ewma"][load]; f.P99 > y.P99 {
			t.Errorf("at %.2f p99 is %.0f ms, want at most the %.0f of P2C peak EWMA", load, f.P99, y.P99)
		}
	}
}

func TestTailInOtherWorldsIsNowhereMuchLongerThanPrequals(t *testing.T) {
	for _, world := range []struct {
		flags string
		quick bool
	}{
		{"-discipline fifo", true},
		{"-mix", false},
		{"-discipline fifo -mix", false},
		{"-wait 100ms", true},
		{"-clients 4", true},
		{"-clients 40", false},
		{"-episode 2s", true},
		{"-slow 0", false},
		{"-replicas 10 -clients 10", false},
	} {
		t.Run(strings.ReplaceAll(strings.TrimPrefix(world.flags, "-"), " -", ", "), func(t *testing.T) {
			if !world.quick {
				onlyInFull(t)
			}
			o := simulate(t, "-policies prequal,adaptive -probes 3 -loads "+loads("1.27")+" "+world.flags)
			within(t, o[prequal], o[adaptive], always(1.1))
		})
	}
}

// A stock SDK reports no CPU time. Where nobody does, Prequal's rule is what is left; a
// fleet of both is between.
func TestTailWithStockSDKs(t *testing.T) {
	for _, tc := range []struct {
		share, bound float64
	}{{0.5, 1.1}, {1, 1.1}} {
		t.Run(fmt.Sprintf("%g of the replicas", tc.share), func(t *testing.T) {
			o := simulate(t, fmt.Sprintf("-policies prequal,adaptive -probes 3 -stock %g -loads %s", tc.share, loads("1.27")))
			within(t, o[prequal], o[adaptive], always(tc.bound))
		})
	}
}

func TestTailWithTheDefaultsOfTheProduct(t *testing.T) {
	o := simulate(t, "-policies prequal,adaptive -probes 2 -probes-per-second 50 -loads "+loads("0.70,1.74"))
	within(t, o[prequal], o[adaptive], always(1.1))
}

// Signals that are five times as old cost the tail, most where machines are nearly full; they
// do not make it Prequal's worse by a quarter.
func TestTailWhenSignalsAreFiveSecondsOld(t *testing.T) {
	onlyInFull(t)
	o := simulate(t, "-policies prequal,adaptive -probes 3 -publish 5s -loads "+loads(""))
	within(t, o[prequal], o[adaptive], always(1.25))
}

// Collectors write what moved, not everything every second: this is what a fleet hears.
func TestTailWhenOnlyWhatMovedIsPublished(t *testing.T) {
	o := simulate(t, "-policies prequal,adaptive -probes 3 -publish-change -loads "+loads("1.27"))
	within(t, o[prequal], o[adaptive], always(1.0))
}

// Callers hear of a probation together. Were they to probe together, five bad replicas would
// cost a hundred callers five hundred requests each time.
func TestFiveReplicasThatFailAtOnceCostLittleMore(t *testing.T) {
	for _, tc := range []struct {
		fault string
		most  float64
	}{{"sinkhole", 0.002}, {"hung", 0.002}, {"flaky", 0.01}, {"crawling", 0.001}} {
		t.Run(tc.fault, func(t *testing.T) {
			if tc.fault != "sinkhole" {
				onlyInFull(t)
			}
			o := simulate(t, "-policies prequal,adaptive -faulty 5 -loads 0.70 -fault "+tc.fault)
			if f := o[adaptive][0.70]; f.Errors > tc.most {
				t.Errorf("%s of errors, want %s at most", percent(f.Errors), percent(tc.most))
			}
		})
	}
}

// From 2 s after the fault on. Ejection sees to it, by each client and by the fleet.
func TestAReplicaThatFailsCostsOneRequestInAThousandAtMost(t *testing.T) {
	for _, fault := range []string{"sinkhole", "hung", "flaky", "crawling"} {
		t.Run(fault, func(t *testing.T) {
			o := simulate(t, "-policies prequal,p2c-ewma,adaptive -fault "+fault+" -loads 0.70")
			for load, f := range o[adaptive] {
				if f.Errors > 0.001 {
					t.Errorf("%s of errors at %.2f, want 0.1 %% at most", percent(f.Errors), load)
				}
			}
		})
	}
}
