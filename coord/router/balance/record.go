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
	number   int64
	requests uint32
	failures uint32
}

func (r *record) add(now time.Duration, failed bool) {
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
	requests, failures := r.sum(now)
	if requests >= by.Requests && float64(failures) >= by.Ratio*float64(requests) {
		return Ratio
	}
	return None
}

// sum counts the attempts of the last ten seconds.
func (r *record) sum(now time.Duration) (requests, failures int) {
	for i := range r.seconds {
		if s := &r.seconds[i]; s.number > int64(now/time.Second)-windowSeconds {
			requests += int(s.requests)
			failures += int(s.failures)
		}
	}
	return requests, failures
}

// vouches reports whether the last requests all succeeded, and lately.
func (r *record) vouches(now time.Duration) bool {
	return r.streak == vouchRequests && now-r.ring[r.next] <= vouchWithin
}
