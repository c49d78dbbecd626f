// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
	model "github.com/otelplat/platform/coord/signal/capacity"
)

func TestAProcessThatUsesCPUForItselfIsNotTheDearerTheLessItDoes(t *testing.T) {
	// Three instances that are alike: 0.25 ms of CPU for a request, 2 % of a core for the
	// process itself. One had ten times the others' requests when the router came.
	const own, each, total = 0.02, 0.00025, 42.0
	for name, says := range map[string]bool{"and says its load with its answers": true, "and says nothing": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3)
			rates := map[string]float64{"i0": 35, "i1": 3.5, "i2": 3.5}
			got := map[string]float64{"i0": 35, "i1": 3, "i2": 4}
			var models [3]model.Model
			for range 120 { // seconds
				fleet := &signal.Fleet{Instances: make(map[string]*signal.Signal)}
				for i := range models {
					id := fmt.Sprint("i", i)
					m := &models[i]
					m.Add(w.now, model.Report{
						Completions: uint64(got[id]), InRequests: got[id] * 0.001, Timed: true, CPU: own + each*got[id], Covers: 1, Allocation: 2,
					})
					demand, _ := m.Demand(w.now)
					fleet.Instances[id] = &signal.Signal{ID: id, Verdict: good(), ServiceDemand: demand, Parallelism: m.Parallelism(w.now)}
				}
				w.fleet = fleet
				w.update()
				got = make(map[string]float64)
				for range int(total) {
					a, ok := w.pool.Pick(w.request())
					if !ok {
						t.Fatal("nobody takes a request")
					}
					w.now += time.Millisecond
					if says {
						a.Says(w.now, Report{})
					}
					a.Done(0, w.now, OK, Measured)
					w.now += time.Second/total - time.Millisecond
					got[a.Node().ID()]++
				}
				for id := range rates {
					rates[id] = 0.8*rates[id] + 0.2*got[id]
				}
			}
			for i := range 3 {
				if rate := rates[fmt.Sprint("i", i)]; rate < total/6 || rate > total/2 {
					t.Errorf("i%d gets %.1f requests a second in the end, want about %.0f", i, rate, total/3)
				}
			}
		})
	}
}
