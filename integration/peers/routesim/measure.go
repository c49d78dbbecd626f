// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// figures are what one policy did at one load: quantiles are medians over the seeds; errors
// and messages are of all seeds together, so that one seed's errors show.
type figures struct {
	Policy   string  `json:"policy"`
	Load     float64 `json:"load"`
	P50      millis  `json:"p50_ms"`
	P90      millis  `json:"p90_ms"`
	P99      millis  `json:"p99_ms"`
	P999     millis  `json:"p999_ms"`
	Errors   float64 `json:"error_ratio"`
	Messages float64 `json:"messages_per_request"`
}

// millis is a duration in milliseconds, to the microsecond.
type millis float64

func millisOf(d time.Duration) millis { return millis(float64(d.Microseconds()) / 1000) }

// measure runs all simulations of the plan, some at once. Each has its own chance, so that
// the order in which they end changes nothing.
func (p *plan) measure() ([]figures, error) {
	per := len(p.loads) * len(p.seeds)
	results := make([]*sim.Result, len(p.policies)*per)
	errs := make([]error, len(results))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(p.cpus, len(results)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(results); i = int(next.Add(1)) - 1 {
				c := p.workload
				c.Load, c.Seed = p.loads[i%per/len(p.seeds)], p.seeds[i%len(p.seeds)]
				results[i], errs[i] = sim.Run(c, family(p.policies[i/per], p.ours))
			}
		})
	}
	workers.Wait()
	var all []figures
	for i := 0; i < len(results); i += len(p.seeds) {
		for _, err := range errs[i : i+len(p.seeds)] {
			if err != nil {
				return nil, err
			}
		}
		all = append(all, summarize(p.policies[i/per], p.loads[i%per/len(p.seeds)], results[i:i+len(p.seeds)]))
	}
	return all, nil
}

// summarize is the figures of one policy and load, from a result for each seed.
func summarize(policy string, load float64, results []*sim.Result) figures {
	f := figures{Policy: policy, Load: load}
	for _, q := range []struct {
		to *millis
		at float64
	}{{&f.P50, 0.5}, {&f.P90, 0.9}, {&f.P99, 0.99}, {&f.P999, 0.999}} {
		of := make([]time.Duration, len(results))
		for i, r := range results {
			of[i] = r.Quantile(q.at)
		}
		*q.to = millisOf(median(of))
	}
	requests, errors, messages := 0, 0, 0
	for _, r := range results {
		requests += r.Requests
		errors += r.Errors
		messages += r.Messages
	}
	f.Errors = float64(errors) / float64(max(requests, 1))
	f.Messages = float64(messages) / float64(max(requests, 1))
	return f
}

// median returns the middle one, of an even number the mean of the two.
func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}
