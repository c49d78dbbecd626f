// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// family makes clients that take a replica at random, and remembers what was told.
type family struct {
	choices  []time.Duration // when
	outcomes []Outcome
	fleet    []Fleet // sums over all periods, by replica
}

type client struct {
	*family
	random *rand.Rand
	n      int
}

func (f *family) Client(_ int, random *rand.Rand, truth *Truth) Policy {
	f.fleet = make([]Fleet, truth.Len())
	return &client{f, random, truth.Len()}
}

func (f *family) Publish(_ time.Duration, replicas []Fleet) {
	for i, r := range replicas {
		sum := &f.fleet[i]
		sum.Seconds += r.Seconds
		sum.CPU += r.CPU
		sum.InRequests += r.InRequests
		sum.Completions += r.Completions
		sum.Failures += r.Failures
	}
}

func (c *client) Choose(now time.Duration) (int, any) {
	c.choices = append(c.choices, now)
	return c.random.IntN(c.n), len(c.choices)
}

func (c *client) Done(_ time.Duration, o Outcome) { c.outcomes = append(c.outcomes, o) }
func (*client) Probes(time.Duration, func(int))   {}
func (*client) Probed(time.Duration, Report)      {}

// one is a single replica with one core, alone on its machine.
func one(load float64) Config {
	c := Defaults()
	c.Clients, c.Replicas, c.Load, c.Allocation, c.Slow = 1, 1, load, 1, 0
	c.Contended, c.SpareLow, c.SpareHigh = 0, 1, 1
	c.Delay, c.Deadline, c.Publish = time.Microsecond, time.Hour, time.Minute
	c.WarmUp, c.Measured = 10*time.Minute, 6*time.Hour
	return c
}

func mean(r *Result) float64 {
	sum := 0.0
	for _, l := range r.Latencies {
		sum += l.Seconds()
	}
	return sum / float64(len(r.Latencies))
}

func run(t *testing.T, c Config, f Family) *Result {
	t.Helper()
	r, err := Run(c, f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	t.Logf("%s: %.5g, in theory %.5g", what, got, want)
	if math.Abs(got-want) > within*want {
		t.Errorf("%s: %.5g, want %.5g within %g %%", what, got, want, 100*within)
	}
}

// The mean latency under processor sharing is S/(1-ρ), whatever the distribution of the
// work (Kleinrock 1976, section 4.4).
func TestOneReplicaThatSharesItsCoreIsAsSlowAsTheorySays(t *testing.T) {
	for _, load := range []float64{0.3, 0.5, 0.8} {
		c := one(load)
		service := newWorkload(&c, 1).meanWork()
		near(t, fmt.Sprintf("mean latency at %.1f", load), mean(run(t, c, &family{})), service/(1-load), 0.04)
	}
}

// The mean latency of one worker with a queue is Pollaczek's and Khinchine's,
// S + λE[S²]/(2(1-ρ)).
func TestOneWorkerWithAQueueIsAsSlowAsTheorySays(t *testing.T) {
	for _, load := range []float64{0.3, 0.5, 0.8} {
		c := one(load)
		c.Discipline, c.Workers = FIFO, 1
		w := newWorkload(&c, 1)
		service := w.meanWork()
		// Of a normal distribution cut off at zero: E[S²] = d² + m·E[S].
		m, d := c.WorkMean.Seconds(), c.WorkDeviation.Seconds()
		square := d*d + m*service
		want := service + square/w.gap/(2*(1-load))
		near(t, fmt.Sprintf("mean latency at %.1f", load), mean(run(t, c, &family{})), want, 0.04)
	}
}

// Little's law: the mean number in flight is the rate times the mean latency.
func TestRequestsInFlightAreRateTimesLatency(t *testing.T) {
	for _, d := range []Discipline{PS, FIFO} {
		c := Defaults()
		c.Load, c.Discipline, c.Delay, c.Deadline = 0.7, d, time.Microsecond, time.Hour
		c.WarmUp, c.Measured = 0, 5*time.Minute
		f := &family{}
		r := run(t, c, f)
		inFlight := 0.0
		for _, sum := range f.fleet {
			inFlight += sum.InRequests / sum.Seconds
		}
		near(t, fmt.Sprintf("in flight under %s", d), inFlight, float64(r.Requests)/c.Measured.Seconds()*mean(r), 0.01)
	}
}

// What came is what was served, what is under service has left, and what is on its way.
func TestNoWorkIsLost(t *testing.T) {
	for _, d := range []Discipline{PS, FIFO} {
		c := Defaults()
		c.Load, c.Discipline, c.Deadline, c.Mix = 0.9, d, time.Hour, true
		c.Publish = time.Hour // beyond the end: the replicas count from the beginning
		c.WarmUp, c.Measured = 0, time.Minute
		s := newSimulation(c, &family{})
		s.run()
		end := c.WarmUp + c.Measured
		offered := 0.0
		again := newWorkload(&c, 1/s.workload.gap/c.Load*s.workload.meanWork())
		for gap, work, _ := again.next(); ; {
			if end -= gap; end < 0 {
				break
			}
			offered += work
			again.random.IntN(c.Clients) // whose it is
			gap, work, _ = again.next()
		}
		done := 0.0
		for _, r := range s.replicas {
			r.advance(c.WarmUp + c.Measured)
			done += r.cpu * r.speed
			for _, q := range r.service {
				done += q.finish - r.virtual
			}
			for _, q := range r.queue {
				done += q.work
			}
		}
		for _, q := range s.arriving.items[s.arriving.head:] {
			done += q.item.work
		}
		near(t, fmt.Sprintf("core seconds under %s", d), done, offered, 1e-6)
	}
}

// A replica is never idle, nor slower than it could be, while it has something to do.
func TestAnOverloadedReplicaUsesAllOfItsCores(t *testing.T) {
	c := one(3)
	c.Deadline, c.Measured, c.WarmUp = 5*time.Second, 10*time.Minute, 0
	f := &family{}
	r := run(t, c, f)
	near(t, "busy", f.fleet[0].CPU/f.fleet[0].Seconds, 1, 0.001)
	if r.Errors == 0 || r.Errors != r.Late {
		t.Errorf("%d errors, %d of them late; want some, all of them late", r.Errors, r.Late)
	}
}
