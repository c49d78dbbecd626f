// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"math"
	"sync"
	"testing"
	"time"
)

// machine is a server whose clock and CPU time the test moves.
type machine struct {
	*Server
	now, cpu time.Duration
	blind    bool // the system does not tell the CPU time
}

func newMachine(allocation float64) *machine {
	m := &machine{now: time.Hour}
	m.Server = NewServer(
		WithClock(func() time.Duration { return m.now }),
		WithCPU(func() (CPUTime, bool) { return CPUTime{User: m.cpu / 2, System: m.cpu - m.cpu/2}, !m.blind }, allocation))
	return m
}

// serve lets n requests begin together, and each end so much later.
func (m *machine) serve(n int, took time.Duration, o Outcome) {
	requests := make([]Request, n)
	for i := range requests {
		requests[i] = m.Begin()
	}
	m.now += took
	for _, r := range requests {
		m.End(r, o)
	}
}

// run serves for so many seconds with so many in flight, each of which costs so much CPU
// and takes 100 ms, and somebody asks for a report once in each.
func (m *machine) run(seconds, inFlight int, cost time.Duration) Report {
	for range 10 * seconds {
		m.cpu += time.Duration(inFlight) * cost
		m.serve(inFlight, 100*time.Millisecond, OK)
		m.Report()
	}
	return m.Report()
}

func near(got, want float64) bool { return math.Abs(got-want) <= 0.02*math.Abs(want) }

func TestAReportTellsTheRequestsInFlight(t *testing.T) {
	m := newMachine(4)
	if r := m.Report(); r.InFlight != 0 || r.AtArrival != -1 {
		t.Errorf("idle: %+v", r)
	}
	first, second, third := m.Begin(), m.Begin(), m.Begin()
	if r := m.Report(); r.InFlight != 3 || r.AtArrival != -1 {
		t.Errorf("a probe among three: %+v", r)
	}
	if r := m.ReportTo(third); r.InFlight != 2 || r.AtArrival != 2 {
		t.Errorf("the third of three meets the other two: %+v", r)
	}
	m.End(third, OK)
	m.End(second, Failed)
	if r := m.ReportTo(first); r.InFlight != 0 || r.AtArrival != 0 {
		t.Errorf("the first, left alone: %+v", r)
	}
	m.End(first, Neutral)
	if r := m.Report(); r.InFlight != 0 {
		t.Errorf("all ended: %+v", r)
	}
}

func TestTheLatencyIsThatOfRequestsThatMetThisLoad(t *testing.T) {
	// serve(n) tags its requests 0 to n-1.
	for name, c := range map[string]struct {
		before   func(m *machine)
		inFlight int
		want     time.Duration
	}{
		"unknown of a server that served nobody": {func(*machine) {}, 0, 0},
		"the median of those at this load": {func(m *machine) {
			for _, took := range []time.Duration{1, 1, 9, 9, 9, 9, 9} {
				m.serve(1, took*time.Millisecond, OK)
			}
			for range 9 {
				m.serve(2, 50*time.Millisecond, OK)
			}
		}, 1, 50 * time.Millisecond},
		"of the newest sixteen": {func(m *machine) {
			for range 16 {
				m.serve(1, time.Millisecond, OK)
			}
			for range 9 {
				m.serve(1, 9*time.Millisecond, OK)
			}
		}, 0, 9 * time.Millisecond},
		"of the nearest load where there are too few": {func(m *machine) {
			for range 9 {
				m.serve(1, time.Millisecond, OK)
				m.serve(3, 30*time.Millisecond, OK)
			}
		}, 200, 30 * time.Millisecond},
		"of no failure and of nobody turned away": {func(m *machine) {
			m.serve(1, 30*time.Millisecond, OK)
			for range 9 {
				m.serve(1, time.Millisecond, Failed)
				m.serve(1, time.Millisecond, Neutral)
			}
		}, 0, 30 * time.Millisecond},
		"unknown after half a minute": {func(m *machine) {
			m.serve(1, 30*time.Millisecond, OK)
			m.now += maxLatencyAge + time.Millisecond
		}, 0, 0},
		"unknown after a month": {func(m *machine) {
			m.serve(1, 30*time.Millisecond, OK)
			m.now += 30 * 24 * time.Hour
		}, 0, 0},
		"known for half a minute": {func(m *machine) {
			m.serve(1, 30*time.Millisecond, OK)
			m.now += maxLatencyAge
		}, 0, 30 * time.Millisecond},
		"of the new ones where others are too old": {func(m *machine) {
			for range 9 {
				m.serve(1, 90*time.Millisecond, OK)
			}
			m.now += 2 * maxLatencyAge
			m.serve(1, 30*time.Millisecond, OK)
		}, 0, 30 * time.Millisecond},
		"at least a microsecond": {func(m *machine) { m.serve(1, 10, OK) }, 0, time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(4)
			c.before(m)
			for range c.inFlight {
				m.Begin()
			}
			if got := m.Report().Latency; got != c.want {
				t.Errorf("%v with %d in flight, want %v", got, c.inFlight, c.want)
			}
		})
	}
}

func TestEveryLoadHasABucketThatIsAtMostAQuarterWide(t *testing.T) {
	first := 0 // of the bucket
	for n := range 1 << 17 {
		b := loadOf(n)
		if b != loadOf(first) {
			if b != loadOf(first)+1 {
				t.Fatalf("from bucket %d to %d at %d", loadOf(first), b, n)
			}
			first = n
		}
		if n-first > first/4 {
			t.Fatalf("%d and %d share a bucket", first, n)
		}
	}
	if b := loadOf(math.MaxInt); b != loads-1 {
		t.Errorf("bucket %d of %d", b, loads)
	}
}

func TestTheRates(t *testing.T) {
	m := newMachine(4)
	r := m.run(20, 4, 50*time.Millisecond) // 40 a second, 2 CPUs of 4
	if !near(r.RPS, 40) || r.EPS != 0 || !near(r.CPUUtilization, 0.5) {
		t.Errorf("%+v, want 40 a second at half of the CPUs", r)
	}
	for range 100 {
		m.serve(1, 100*time.Millisecond, Failed)
		m.Report()
	}
	if r := m.Report(); !near(r.RPS, 10) || !near(r.EPS, 10) || r.CPUUtilization > 0.01 {
		t.Errorf("%+v, want 10 failures a second that cost nothing", r)
	}
	m.now += time.Minute
	if r := m.Report(); r.RPS > 0.01 || r.EPS > 0.01 {
		t.Errorf("%+v after an idle minute", r)
	}
}

func TestTheCPUIsLookedAtTenTimesASecondAtMost(t *testing.T) {
	m, looks := &machine{}, 0
	m.Server = NewServer(WithClock(func() time.Duration { return m.now }),
		WithCPU(func() (CPUTime, bool) { looks++; return CPUTime{}, true }, 1))
	for range 1000 {
		m.now += time.Millisecond
		m.Report()
		m.ReportTo(Request{})
	}
	if looks != 1+10 {
		t.Errorf("%d times in a second", looks)
	}
}

func TestTheDemandIsCPUTimeOverCompletions(t *testing.T) {
	m := newMachine(4)
	if r := m.run(100, 2, 50*time.Millisecond); !near(r.Demand.Seconds(), 0.05) {
		t.Errorf("%v, want 50ms", r.Demand)
	}
	if r := m.run(14, 2, 100*time.Millisecond); r.Demand < 70*time.Millisecond || r.Demand > 80*time.Millisecond {
		t.Errorf("%v after 0.95^14, about a half, want half way from 50 to 100ms", r.Demand)
	}
	few := newMachine(4)
	few.cpu += time.Second
	few.serve(9, time.Second, OK)
	if r := few.Report(); r.Demand != 0 {
		t.Errorf("%v of nine requests", r.Demand)
	}
}

func TestTheParallelism(t *testing.T) {
	t.Run("begins with the allocation and grows by 2 % a second", func(t *testing.T) {
		m := newMachine(4)
		if r := m.run(10, 2, 100*time.Millisecond); !near(r.Parallelism, 4*math.Pow(1.02, 10)) {
			t.Errorf("%.2f", r.Parallelism)
		}
	})
	t.Run("never exceeds three times the allocation", func(t *testing.T) {
		m := newMachine(4)
		if r := m.run(200, 2, 100*time.Millisecond); r.Parallelism != 12 {
			t.Errorf("%.2f", r.Parallelism)
		}
	})
	t.Run("is what it uses while requests queue", func(t *testing.T) {
		m := newMachine(4)
		m.run(30, 3, 100*time.Millisecond)
		if r := m.run(10, 8, 45*time.Millisecond); !near(r.Parallelism, 3.6) {
			t.Errorf("%.2f, want 3.6", r.Parallelism)
		}
	})
	t.Run("does not fall for one request that waits", func(t *testing.T) {
		m := newMachine(4)
		if r := m.run(20, 1, 10*time.Millisecond); r.Parallelism < 4 {
			t.Errorf("%.2f with one in flight", r.Parallelism)
		}
	})
	t.Run("is the same whether somebody looks often or not", func(t *testing.T) {
		often, seldom := newMachine(4), newMachine(4)
		a := often.run(60, 2, 100*time.Millisecond)
		for range 600 {
			seldom.cpu += 200 * time.Millisecond
			seldom.serve(2, 100*time.Millisecond, OK)
		}
		b := seldom.Report() // starts at the allocation
		if !near(a.Demand.Seconds(), b.Demand.Seconds()) || b.Parallelism < 4 || !near(b.RPS, 20) {
			t.Errorf("%+v and %+v", a, b)
		}
	})
}

func TestWithoutCPUTimeThereIsNeitherDemandNorParallelism(t *testing.T) {
	m := newMachine(4)
	m.blind = true
	r := m.run(20, 8, 0)
	if r.Demand != 0 || r.Parallelism != 0 || r.CPUUtilization != 0 || !near(r.RPS, 80) || r.Latency != 100*time.Millisecond {
		t.Errorf("%+v", r)
	}
}

func TestTheTotals(t *testing.T) {
	m := newMachine(4)
	slow := m.Begin()
	m.serve(3, 2*time.Second, OK)
	m.serve(1, time.Second, Failed)
	completed, inRequests := m.Totals()
	if completed != 4 || inRequests != 2*3*time.Second+time.Second+3*time.Second {
		t.Errorf("%d, %v: a request that is under way counts its time", completed, inRequests)
	}
	m.End(slow, OK)
	m.now += time.Minute
	if completed, inRequests = m.Totals(); completed != 5 || inRequests != 10*time.Second {
		t.Errorf("%d, %v after all ended", completed, inRequests)
	}
}

func TestTheTimeInRequestsOutlivesItsWord(t *testing.T) {
	m := newMachine(1)
	for range 1000 {
		m.Begin()
	}
	var want time.Duration
	for range 300 { // the word wraps after 4.9 hours of these
		m.now += 5 * time.Minute
		want += 1000 * 5 * time.Minute
		if _, got := m.Totals(); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

func TestTheTotalsNeverFall(t *testing.T) {
	s := NewServer()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					s.End(s.Begin(), OK)
					s.Report()
				}
			}
		})
	}
	var completed int64
	var inRequests time.Duration
	for range 5000 {
		c, in := s.Totals()
		if c < completed || in < inRequests {
			t.Fatalf("from %d, %v to %d, %v", completed, inRequests, c, in)
		}
		completed, inRequests = c, in
	}
	close(stop)
	wg.Wait()
	if r := s.Report(); r.InFlight != 0 || inRequests > time.Hour {
		t.Errorf("%+v, %v at the end", r, inRequests)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	s := NewServer()
	if n := testing.AllocsPerRun(1000, func() {
		r := s.Begin()
		s.ReportTo(r)
		s.End(r, OK)
	}); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkServer(b *testing.B) {
	b.Run("begin and end", func(b *testing.B) {
		s := NewServer()
		b.ReportAllocs()
		for b.Loop() {
			s.End(s.Begin(), OK)
		}
	})
	b.Run("begin and end/parallel", func(b *testing.B) {
		s := NewServer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				s.End(s.Begin(), OK)
			}
		})
	})
	b.Run("report", func(b *testing.B) {
		s := NewServer()
		for range 100 {
			s.End(s.Begin(), OK)
		}
		b.ReportAllocs()
		for b.Loop() {
			s.Report()
		}
	})
}
