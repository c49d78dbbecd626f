// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOneWorkerServesInTheOrderOfArrival(t *testing.T) {
	c := one(0.9)
	c.Discipline, c.Workers, c.Measured, c.WarmUp = FIFO, 1, 5*time.Minute, 0
	f := &family{}
	run(t, c, f)
	if len(f.outcomes) < 1000 {
		t.Fatalf("%d requests ended, want thousands", len(f.outcomes))
	}
	for i, o := range f.outcomes {
		if o.Token != i+1 {
			t.Fatalf("request %v ended as number %d", o.Token, i+1)
		}
	}
}

func TestOneWhoSharesServesShortRequestsFirst(t *testing.T) {
	c := one(0.9)
	c.Measured, c.WarmUp = 5*time.Minute, 0
	f := &family{}
	run(t, c, f)
	if slices.IsSortedFunc(f.outcomes, func(a, b Outcome) int { return a.Token.(int) - b.Token.(int) }) {
		t.Error("all ended in the order of arrival")
	}
}

func TestADeadlineEndsARequestAtTheClientAndAtTheReplica(t *testing.T) {
	c := one(5)
	c.Deadline, c.Measured, c.WarmUp = 5*time.Second, 5*time.Minute, 0
	s := newSimulation(c, &family{})
	s.run()
	if got := s.result.Latencies; slices.Max(got) != c.Deadline {
		t.Errorf("the longest took %v, want the deadline of %v", slices.Max(got), c.Deadline)
	}
	sent := 0
	for _, q := range s.deadlines.items[s.deadlines.head:] {
		if !q.item.done {
			sent++
		}
	}
	if in := s.replicas[0].inFlight; in > sent || in < sent-5 {
		t.Errorf("%d in flight, want those of the last 5 s that have not ended: %d", in, sent)
	}
}

func TestAllPoliciesMeetTheSameArrivalsAndMachines(t *testing.T) {
	c := Defaults()
	c.WarmUp, c.Measured = 0, 30*time.Second
	a, b := &family{}, &first{}
	one, two := newSimulation(c, a), newSimulation(c, b)
	one.run()
	two.run()
	if !slices.Equal(a.choices, b.choices) {
		t.Error("requests came at other times to another policy")
	}
	for i := range one.replicas {
		if one.replicas[i].cores != two.replicas[i].cores {
			t.Fatalf("replica %d has %v cores, and %v under another policy", i, one.replicas[i].cores, two.replicas[i].cores)
		}
	}
}

// first is a family whose clients take the first replica, and draw more chance for it.
type first struct{ family }

func (f *first) Client(id int, random *rand.Rand, truth *Truth) Policy {
	return stubborn{f.family.Client(id, random, truth).(*client)}
}

type stubborn struct{ *client }

func (s stubborn) Choose(now time.Duration) (int, any) {
	for range 3 {
		s.random.Uint64()
	}
	_, token := s.client.Choose(now)
	return 0, token
}

func TestTheSameSeedGivesTheSameResult(t *testing.T) {
	c := Defaults()
	c.WarmUp, c.Measured = time.Second, 10*time.Second
	a, b := run(t, c, &family{}), run(t, c, &family{})
	if !reflect.DeepEqual(a, b) {
		t.Error("two runs differ")
	}
	c.Seed = 2
	if other := run(t, c, &family{}); reflect.DeepEqual(a, other) {
		t.Error("another seed gives the same")
	}
}

func TestFaults(t *testing.T) {
	base := func(fault Fault) Config {
		c := Defaults()
		c.Replicas, c.Clients, c.Load, c.Slow, c.Contended = 10, 1, 0.2, 0, 0
		c.Fault, c.Faulty, c.FaultAt = fault, 10, 0
		c.WarmUp, c.Measured = 5*time.Second, 60*time.Second
		return c
	}
	healthy := run(t, func() Config { c := base(NoFault); c.Faulty = 0; return c }(), &family{})
	t.Run("a sinkhole answers with an error at once", func(t *testing.T) {
		c := base(Sinkhole)
		r := run(t, c, &family{})
		if r.ErrorRatio() != 1 || r.Late != 0 || r.Quantile(1) != 2*c.Delay {
			t.Errorf("%.2f errors, %d late, after %v; want all, none, %v", r.ErrorRatio(), r.Late, r.Quantile(1), 2*c.Delay)
		}
	})
	t.Run("one that hangs never answers", func(t *testing.T) {
		c := base(Hung)
		r := run(t, c, &family{})
		if r.Late != r.Requests || r.Quantile(0) != c.Deadline {
			t.Errorf("%d of %d late, the first after %v; want all at the deadline", r.Late, r.Requests, r.Quantile(0))
		}
	})
	t.Run("a flaky one fails three requests in ten, after their work", func(t *testing.T) {
		r := run(t, base(Flaky), &family{})
		near(t, "errors", r.ErrorRatio(), 0.3, 0.05)
		near(t, "median", r.Quantile(0.5).Seconds(), healthy.Quantile(0.5).Seconds(), 0.02)
	})
	t.Run("one that crawls is at a tenth of its speed", func(t *testing.T) {
		c := base(Crawling)
		c.Load = 0.02
		r := run(t, c, &family{})
		near(t, "median", r.Quantile(0.5).Seconds(), 10*healthy.Quantile(0.5).Seconds(), 0.1)
	})
}

func TestAWorkloadOutOfItsLimitsIsRefusedByName(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"clients 0":       func(c *Config) { c.Clients = 0 },
		"replicas 100000": func(c *Config) { c.Replicas = 100_000 },
		"load 0":          func(c *Config) { c.Load = 0 },
		"discipline":      func(c *Config) { c.Discipline = "lifo" },
		"slow speed 2":    func(c *Config) { c.SlowSpeed = 2 },
		"episode 0s":      func(c *Config) { c.Episode = 0 },
		"publish":         func(c *Config) { c.Publish = 0 },
		"wait -1s":        func(c *Config) { c.Wait = -time.Second },
		"faulty":          func(c *Config) { c.Faulty = 101 },
		"fault \"lazy\"":  func(c *Config) { c.Faulty, c.Fault = 1, "lazy" },
		"measured 0s":     func(c *Config) { c.Measured = 0 },
	} {
		c := Defaults()
		change(&c)
		if _, err := Run(c, &family{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %q", err, want)
		}
	}
}
