// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

const (
	buckets = 40
	bucket  = 250 * time.Millisecond

	// window is over what requests are counted while the circuit is closed.
	window = buckets * bucket

	// jitter is by how much of itself a hold is longer at most, so that the processes of one
	// fault do not all come back at once.
	jitter = 0.2
)

// DefaultBase is how long a circuit stays open the first time.
const DefaultBase = 30 * time.Second

// Settings are the thresholds of a local breaker. A zero field has its default, which is the
// fleet's.
type Settings struct {
	Ratio    float64       // of the requests that must fail: [signal.BadRatio]
	Requests uint64        // that the window must hold: [signal.ScopeRequests]
	Base     time.Duration // of the hold: [DefaultBase]
}

func (s Settings) complete() Settings {
	if s.Ratio == 0 {
		s.Ratio = signal.BadRatio
	}
	if s.Requests == 0 {
		s.Requests = signal.ScopeRequests
	}
	if s.Base == 0 {
		s.Base = DefaultBase
	}
	return s
}

// Outcome is how an attempt ended.
type Outcome uint8

// The outcomes.
const (
	Success   Outcome = iota
	Failure           // a server error, the deadline, no connection
	Cancelled         // the caller gave up: says nothing
)

// Local is the breaker of one process.
//
//	closed ──(half of 20 requests in 10 s failed)──▶ open
//	open ──(base × episode, at most 300 s)──▶ half open
//	half open ──(half of 5 probes or more failed)──▶ open, the next episode
//	half open ──(the ramp is over and 20 succeeded)──▶ closed
type Local struct {
	settings Settings
	trip     atomic.Pointer[trip] // nil: closed

	mu     sync.Mutex // held for a few nanoseconds, and never while anything is waited for
	counts counts     // closed
	probes tally      // half open
}

// trip is why and for how long a circuit is open. It is immutable.
type trip struct {
	tally
	episode uint32
	until   time.Duration // from then on it is half open
	hold    time.Duration
}

func (t *trip) share(now time.Duration) float64 {
	if now < t.until {
		return 0
	}
	return signal.RampShare(now-t.until, signal.Ramp)
}

// NewLocal returns a closed breaker.
func NewLocal(s Settings) *Local { return &Local{settings: s.complete()} }

// Share returns the share of requests to admit, 0 to 1.
func (l *Local) Share(now time.Duration) float64 {
	if t := l.trip.Load(); t != nil {
		return t.share(now)
	}
	return 1
}

// Record takes in how an attempt ended. Random, in [0, 1), spreads the time that the circuit
// is open for if this attempt opens it.
func (l *Local) Record(now time.Duration, o Outcome, random float64) {
	if o == Cancelled {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.trip.Load()
	switch {
	case t == nil:
		l.counts.add(now, o)
		if l.counts.bad(l.settings.Requests, l.settings.Ratio) {
			l.open(now, l.counts.tally, 1, random)
		}
	case now < t.until:
		// It began before the circuit opened, which has said so already.
	default:
		l.probes.add(o)
		switch {
		case l.probes.bad(min(signal.ProbeRequests, l.settings.Requests), l.settings.Ratio):
			l.open(now, l.probes, t.episode+1, random)
		case now-t.until >= signal.Ramp && l.probes.requests-l.probes.failures >= l.settings.Requests:
			l.trip.Store(nil)
		}
	}
}

// open opens the circuit; what was counted before says nothing of after.
func (l *Local) open(now time.Duration, seen tally, episode uint32, random float64) {
	const longest = float64(signal.MaxHold) / (1 + jitter)
	hold := time.Duration(min(float64(signal.Hold(l.settings.Base, episode)), longest) * (1 + jitter*random))
	l.trip.Store(&trip{tally: seen, episode: episode, until: now + hold, hold: hold})
	l.counts, l.probes = counts{}, tally{}
}

// tally counts requests.
type tally struct{ requests, failures uint64 }

func (t *tally) add(o Outcome) {
	t.requests++
	if o == Failure {
		t.failures++
	}
}

func (t tally) bad(requests uint64, ratio float64) bool {
	return t.requests >= requests && float64(t.failures) >= ratio*float64(t.requests)
}

// counts are the requests of the last window.
type counts struct {
	tally // of all buckets
	ring  [buckets]tally
	head  int64 // the newest bucket
}

func (c *counts) add(now time.Duration, o Outcome) {
	at := max(int64(now/bucket), c.head) // attempts that end at once may come in any order
	if at-c.head >= buckets {
		*c = counts{head: at}
	}
	for c.head < at {
		c.head++
		old := &c.ring[c.head%buckets]
		c.requests -= old.requests
		c.failures -= old.failures
		*old = tally{}
	}
	c.tally.add(o)
	c.ring[at%buckets].add(o)
}
