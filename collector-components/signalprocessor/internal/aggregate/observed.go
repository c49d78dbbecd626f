// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"cmp"
	"slices"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// observed is what callers tell of an instance, or of a scope.
type observed struct {
	history history
	callers []*caller     // ascending by hash, at most signal.MaxCallers: those with the smallest
	last    time.Duration // that is known to have had traffic
	fine    time.Duration // until which the last 10 s are known; 0: never
	touched bool          // something came since the last look

	room []signal.Caller // of the evidence of a look
}

// record takes in what a caller measured.
func (o *observed) record(now time.Duration, caller uint64, m *Measurement) {
	o.heard(now, m.Covers)
	o.history.record(now, m)
	if m.Outcome == Cancelled {
		return
	}
	if c := o.caller(caller); c != nil {
		s := c.slot(now)
		s.requests += m.seen()
		if m.Outcome != OK {
			s.failures += m.seen()
		}
	}
}

// heard notes that callers told of the instance, over a time that ends now.
func (o *observed) heard(now, covers time.Duration) {
	o.present(now, covers)
	if covers <= fine {
		o.fine = now + tens*10*time.Second
	}
}

// present notes that somebody did. An instance that is told of each minute is not
// forgotten in between.
func (o *observed) present(now, covers time.Duration) {
	o.touched = true
	o.last = max(o.last, now+covers)
}

// coarse reports whether nothing tells of single seconds any more, but something of minutes.
func (o *observed) coarse(now time.Duration) bool { return now >= o.fine }

// caller returns the record of a caller, nil when 32 others have smaller hashes.
func (o *observed) caller(hash uint64) *caller {
	at, found := slices.BinarySearchFunc(o.callers, hash, func(c *caller, h uint64) int { return cmp.Compare(c.hash, h) })
	switch {
	case found:
		return o.callers[at]
	case at == signal.MaxCallers:
		return nil
	case len(o.callers) == signal.MaxCallers:
		o.callers = o.callers[:signal.MaxCallers-1] // the greatest makes room
	}
	c := &caller{hash: hash}
	o.callers = slices.Insert(o.callers, at, c)
	return c
}

// forgetCallers forgets those who have said nothing that evidence could hold.
func (o *observed) forgetCallers(now time.Duration) {
	o.callers = slices.DeleteFunc(o.callers, func(c *caller) bool { return secondOf(now)-c.last > seconds })
}

// heardLately is for how many seconds, the current one included, a caller has a voice by what
// it said last: callers report once a second, each at a time of its own. Without it who
// reports first in a second, or several times in each, would for a moment be the only caller
// that there is, and be believed.
const heardLately = 3

// over is what callers saw over a length of seconds that ends with the current one, and what
// callers that were not heard in them said last, a moment ago. Seconds before since do not
// count. The callers are put into room.
func (o *observed) over(current, length, since int64, room []signal.Caller) signal.Evidence {
	e := signal.Evidence{Seconds: uint32(length), Callers: room[:0]}
	from := max(current-length+1, since)
	for s := from; s <= current; s++ {
		if at := &o.history.second[mod(s)]; at.at == s {
			e.Requests += at.seen
			e.Failures += at.failed
		}
	}
	for _, c := range o.callers {
		if c.last < from {
			if at := c.slots[mod(c.last)]; c.last > current-heardLately && c.last >= since && at.requests > 0 {
				e.Callers = append(e.Callers, signal.Caller{Hash: c.hash, Requests: at.requests, Failures: at.failures, Ejected: at.ejected})
				e.Requests += at.requests
				e.Failures += at.failures
			}
			continue
		}
		seen := signal.Caller{Hash: c.hash}
		for i := range c.slots {
			if at := &c.slots[i]; at.at >= from {
				seen.Requests += at.requests
				seen.Failures += at.failures
				seen.Ejected = seen.Ejected || at.ejected
			}
		}
		if seen.Requests > 0 || seen.Ejected {
			e.Callers = append(e.Callers, seen)
		}
	}
	return e
}

// mod is the place of a second in a ring; seconds before the start have one too.
func mod(s int64) int64 {
	const n = seconds + 1
	return ((s % n) + n) % n
}
