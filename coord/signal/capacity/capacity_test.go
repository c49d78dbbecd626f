// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"math"
	"testing"
	"time"
)

// instance reports once a second.
type instance struct {
	Model
	now time.Duration
}

func (in *instance) seconds(n int, r Report) {
	for range n {
		in.now += time.Second
		in.Add(in.now, r)
	}
}

func (in *instance) want(t *testing.T, what string, demand time.Duration, parallelism float64) {
	t.Helper()
	d, _ := in.Demand(in.now)
	if math.Abs(d.Seconds()-demand.Seconds()) > 0.02*demand.Seconds() {
		t.Errorf("%s: a demand of %v, want %v", what, d, demand)
	}
	if c := in.Parallelism(in.now); math.Abs(c-parallelism) > 0.02*parallelism {
		t.Errorf("%s: a parallelism of %.3f, want %.3f", what, c, parallelism)
	}
}

// busy is a second in which requests used so much CPU, with so many in flight.
func busy(cpu float64, requests uint64, inFlight float64) Report {
	return Report{CPU: cpu, Covers: 1, Completions: requests, InRequests: inFlight, Timed: true, Allocation: 4}
}

func TestTheDemandIsCPUTimeOverCompletions(t *testing.T) {
	in := &instance{}
	in.seconds(30, busy(2, 100, 2))
	in.want(t, "100 requests in 2 s of CPU", 20*time.Millisecond, min(12, 4*math.Pow(1.02, 29)))
}

func TestTheDemandFollowsWithinTheDecay(t *testing.T) {
	in := &instance{}
	in.seconds(300, busy(1, 100, 1))
	in.seconds(14, busy(2, 100, 2)) // 0.95^14 is about a half
	d, _ := in.Demand(in.now)
	if d < 14*time.Millisecond || d > 16*time.Millisecond {
		t.Errorf("%v after the half-life, want half way from 10ms to 20ms", d)
	}
}

func TestParallelism(t *testing.T) {
	t.Run("begins with the allocation, and grows by 2 % a second", func(t *testing.T) {
		in := &instance{}
		in.seconds(1, busy(1, 100, 1))
		in.want(t, "at first", 10*time.Millisecond, 4)
		in.seconds(10, busy(1, 100, 1))
		in.want(t, "10 s later", 10*time.Millisecond, 4*math.Pow(1.02, 10))
	})
	t.Run("never exceeds three times the allocation", func(t *testing.T) {
		in := &instance{}
		in.seconds(500, busy(1, 100, 1))
		in.want(t, "long after", 10*time.Millisecond, 12)
	})
	t.Run("is what it uses when requests queue", func(t *testing.T) {
		in := &instance{}
		in.seconds(100, busy(3, 100, 3))
		in.seconds(1, busy(3.6, 120, 8))
		in.want(t, "saturated", 30*time.Millisecond, 3.6)
		in.seconds(1, busy(3, 100, 3))
		in.want(t, "relieved", 30*time.Millisecond, 3.6*1.02)
	})
	t.Run("is not taken to be saturated by one request that waits", func(t *testing.T) {
		in := &instance{}
		in.seconds(20, busy(0.2, 20, 1.9))
		if c := in.Parallelism(in.now); c < 4 {
			t.Errorf("%.2f with fewer than two in flight", c)
		}
	})
	t.Run("rises at once to what is used", func(t *testing.T) {
		in := &instance{}
		in.seconds(1, busy(1, 100, 1))
		in.seconds(1, busy(7, 700, 7))
		in.want(t, "a burst", 10*time.Millisecond, 7)
	})
	t.Run("is what its callers see where it does not time its requests", func(t *testing.T) {
		in := &instance{}
		in.seconds(20, Report{CPU: 2, Covers: 1, Completions: 100, InFlight: 9})
		in.want(t, "saturated", 20*time.Millisecond, 2)
	})
	t.Run("without an allocation is bounded by the most that was used", func(t *testing.T) {
		in := &instance{}
		in.seconds(500, Report{CPU: 2, Covers: 1, Completions: 100, InFlight: 2})
		in.want(t, "long after", 20*time.Millisecond, 6)
	})
}

func TestAReportOfAMinuteCountsAsSixtyOfASecond(t *testing.T) {
	each, whole := &instance{}, &instance{}
	each.seconds(1, busy(1, 100, 1))
	whole.seconds(1, busy(1, 100, 1))
	each.seconds(60, busy(1, 100, 1))
	whole.now += time.Minute
	whole.Add(whole.now, Report{CPU: 60, Covers: 60, Completions: 6000, InRequests: 60, Timed: true, Allocation: 4})
	if a, b := each.Parallelism(each.now), whole.Parallelism(whole.now); math.Abs(a-b) > 0.01*a {
		t.Errorf("a parallelism of %.3f and %.3f", a, b)
	}
}

func TestRequestsAndCPUTimeMayComeApart(t *testing.T) {
	in := &instance{}
	for range 60 {
		in.now += 500 * time.Millisecond
		in.Add(in.now, Report{Completions: 100, InRequests: 2, Timed: true})
		in.now += 500 * time.Millisecond
		in.Add(in.now, Report{CPU: 2, Covers: 1, Allocation: 4})
	}
	d, _ := in.Demand(in.now)
	if d < 19*time.Millisecond || d > 21*time.Millisecond {
		t.Errorf("a demand of %v, want about 20ms", d)
	}
}

func TestWhoSaysNothingHasNoCapacity(t *testing.T) {
	in := &instance{}
	in.seconds(5, Report{Completions: 100})
	in.want(t, "no CPU time", 0, 0)
	in.seconds(5, busy(0.01, 1, 0.01))
	in.seconds(20, busy(1, 100, 1))
	in.now += 16 * time.Second
	in.want(t, "silent for 16 s", 0, 0)
	idle := &instance{}
	idle.seconds(60, busy(0.01, 0, 0))
	idle.want(t, "no requests", 0, 0)
}
