// SPDX-License-Identifier: Apache-2.0

package balance

import "time"

const (
	windowSeconds = 10

	// A router that itself saw vouchRequests successes in a row, all of them within
	// vouchWithin, knows better than the fleet.
	vouchRequests = 20
	vouchWithin   = 5 * time.Second
)

// record is what a router saw of one instance since its state last changed. The
// zero value is empty.
type record struct {
	inARow  int // failures
	streak  int // successes in a row, counted to vouchRequests
	next    int // in ring
	ring    [vouchRequests]time.Duration
	seconds [windowSeconds]second
}

// second counts the attempts that ended in one second.
type second struct {
	number int64
	tally
}

// tally is how many attempts ended, and what those took that tell how fast the instance
// serves.
type tally struct {
	requests, failures int32
	timed              int32
	took               time.Duration // by those that were timed, together
}

// mean returns the mean latency in seconds, 0 when nothing was timed.
func (t *tally) mean() float64 { return t.took.Seconds() / float64(max(t.timed, 1)) }

// add counts an attempt; took is 0 where its duration tells nothing.
func (r *record) add(now, took time.Duration, failed bool) {
	number := int64(now / time.Second)
	s := &r.seconds[number%windowSeconds]
	if s.number != number {
		*s = second{number: number}
	}
	s.requests++
	if failed {
		s.failures++
		r.inARow++
		r.streak = 0
		return
	}
	if took > 0 {
		s.timed++
		s.took += took
	}
	r.inARow = 0
	r.streak = min(r.streak+1, vouchRequests)
	r.ring[r.next] = now
	r.next = (r.next + 1) % vouchRequests
}

// condemns returns why the instance should leave the rotation, None when it should
// not.
func (r *record) condemns(now time.Duration, by *Ejection) Reason {
	if by.Mode == Off {
		return None
	}
	if by.Consecutive > 0 && r.inARow >= by.Consecutive {
		return Consecutive
	}
	sum := r.sum(now)
	if int(sum.requests) >= by.Requests && float64(sum.failures) >= by.Ratio*float64(sum.requests) {
		return Ratio
	}
	return None
}

// sum counts the attempts of the last ten seconds: nine whole ones, and the one that is not
// over.
func (r *record) sum(now time.Duration) (sum tally) {
	for i := range r.seconds {
		if s := &r.seconds[i]; s.number > int64(now/time.Second)-windowSeconds {
			sum.requests += s.requests
			sum.failures += s.failures
			sum.timed += s.timed
			sum.took += s.took
		}
	}
	return sum
}

// vouches reports whether the last requests all succeeded, and lately.
func (r *record) vouches(now time.Duration) bool {
	return r.streak == vouchRequests && now-r.ring[r.next] <= vouchWithin
}
