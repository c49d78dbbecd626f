// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// sampleInterval is how often who reads a report looks at the CPU time, at most.
const sampleInterval = 100 * time.Millisecond

// CPUTime is what a process used.
type CPUTime struct{ User, System time.Duration }

// Outcome is what a request tells of the server.
type Outcome uint8

const (
	// OK is a request that was served: what it took tells of the next one.
	OK Outcome = iota
	// Failed is by the server's fault. One that is fast must not make it look fast.
	Failed
	// Neutral is neither failed nor worth its latency: who asked gave up, it was turned
	// away unserved, or it is a stream that lasts as long as its ends like.
	Neutral
)

// Server estimates how loaded a process is from the requests of its servers. It begins
// when it is made; all methods are safe for concurrent use.
type Server struct {
	clock      func() time.Duration
	cpu        func() (CPUTime, bool)
	allocation func() float64

	tally     tally
	completed atomic.Int64
	failed    atomic.Int64
	latencies latencies
	estimate  atomic.Pointer[estimate] // the newest; who holds mu writes it

	mu    sync.Mutex
	model model
	last  look
	total time.Duration // in requests, up to last
	told  time.Duration // by Totals
}

// estimate is what the model said last.
type estimate struct {
	at                       time.Duration
	cpuUtilization, rps, eps float64
	demand                   time.Duration
	parallelism              float64
}

// look is the state of all counters at one time.
type look struct {
	at                time.Duration
	cpu               time.Duration
	inRequests        uint64
	completed, failed int64
}

// An Option changes what a [Server] reads, in tests.
type Option func(*Server)

// WithClock sets the clock: monotonic, from any beginning.
func WithClock(now func() time.Duration) Option { return func(s *Server) { s.clock = now } }

// WithCPU sets where the CPU time comes from, and how many CPUs there are to use.
func WithCPU(used func() (CPUTime, bool), allocation float64) Option {
	return func(s *Server) { s.cpu, s.allocation = used, func() float64 { return allocation } }
}

// NewServer returns an estimator.
func NewServer(opts ...Option) *Server {
	began := time.Now()
	s := &Server{
		clock:      func() time.Duration { return time.Since(began) },
		cpu:        ProcessCPUTime,
		allocation: func() float64 { return float64(runtime.GOMAXPROCS(0)) }, // follows cgroups
	}
	for _, o := range opts {
		o(s)
	}
	s.last = s.look(s.clock())
	s.estimate.Store(&estimate{at: s.last.at})
	return s
}

// Request is a request in flight.
type Request struct {
	began    time.Duration
	inFlight int
}

// Begin counts a request that arrived.
func (s *Server) Begin() Request {
	now := s.clock()
	return Request{now, s.tally.begin(now)}
}

// End counts a request out.
func (s *Server) End(r Request, o Outcome) {
	now := s.clock()
	s.tally.end(now)
	s.completed.Add(1)
	switch o {
	case OK:
		s.latencies.add(r.inFlight, now, now-r.began)
	case Failed:
		s.failed.Add(1)
	}
}

// Report answers a probe, which is not a request.
func (s *Server) Report() Report {
	r := s.report(s.tally.inFlight())
	r.AtArrival = -1
	return r
}

// ReportTo returns the report that goes back with a request that is in flight.
func (s *Server) ReportTo(to Request) Report {
	r := s.report(max(s.tally.inFlight()-1, 0))
	r.AtArrival = to.inFlight
	return r
}

func (s *Server) report(inFlight int) Report {
	now := s.clock()
	e := s.newest(now)
	return Report{
		InFlight: inFlight, Latency: s.latencies.at(inFlight, now),
		CPUUtilization: e.cpuUtilization, RPS: e.rps, EPS: e.eps, Demand: e.demand, Parallelism: e.parallelism,
	}
}

// newest returns an estimate that is not too old, unless another caller is making one.
func (s *Server) newest(now time.Duration) *estimate {
	e := s.estimate.Load()
	if now-e.at < sampleInterval || !s.mu.TryLock() {
		return e
	}
	defer s.mu.Unlock()
	s.advance(now)
	return s.estimate.Load()
}

// Totals returns how many requests were completed, and the time that all of them,
// those in flight too, took together up to now. Neither ever falls.
func (s *Server) Totals() (completed int64, inRequests time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	s.advance(now)
	s.told = max(s.told, s.total+since(s.last.inRequests, s.tally.inRequests(now)))
	return s.completed.Load(), s.told
}

// advance moves the model up to now, if that is far enough from its last look.
func (s *Server) advance(now time.Duration) {
	if now-s.last.at < sampleInterval {
		return
	}
	l := s.look(now)
	inRequests := since(s.last.inRequests, l.inRequests)
	s.total += inRequests
	allocation := s.allocation()
	s.model.add(interval{
		seconds: (l.at - s.last.at).Seconds(), cpu: max(l.cpu-s.last.cpu, 0).Seconds(), inRequests: max(inRequests, 0).Seconds(),
		completed: float64(l.completed - s.last.completed), failed: float64(l.failed - s.last.failed),
	}, allocation)
	s.last = l
	recent := s.model.recent
	s.estimate.Store(&estimate{
		at:             l.at,
		cpuUtilization: recent.cpu / recent.seconds / allocation,
		rps:            recent.completed / recent.seconds, eps: recent.failed / recent.seconds,
		demand: seconds(s.model.demand), parallelism: s.model.parallelism,
	})
}

func (s *Server) look(now time.Duration) look {
	used, _ := s.cpu()
	return look{now, used.User + used.System, s.tally.inRequests(now), s.completed.Load(), s.failed.Load()}
}
