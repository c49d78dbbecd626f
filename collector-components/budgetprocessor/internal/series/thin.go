// SPDX-License-Identifier: Apache-2.0

package series

import (
	"math"
	"time"
	"unsafe" // for the bytes of a string

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Thinning says which points of a batch go so that the others stay within so many a
// second. Each point has a turn, a number below 2^56 that its series and its time give
// it, and every process gives it the same. The zero value lets all stay.
type Thinning struct {
	// Below is the turn from which on points stay: 2^56 times the part that goes.
	Below uint64

	// Again is the same for a second cut of what the first leaves, by a number that no
	// sender can know: what the first cut needs chosen times could get around.
	Again uint64
}

// Slot is the time in which a series has one turn: readers of metrics are seconds apart,
// and what jitter they have is mostly within it.
const Slot = 100 * time.Millisecond

// The turns of a series are a Weyl sequence: from one slot to the next they move on by one
// step. Whatever part of them stays, those that do lie at no more than three different
// distances (the three gap theorem), the less apart the worse the step is approximated by
// fractions; and what stays at a part stays at a greater one, so that a part that moves
// tears no holes. Of a hash of series and time a tenth would leave 44 points on end out
// once in a hundred times.
//
// A series meets each k-th turn, so that it is k steps that matter. The golden ratio is
// best for k = 1 and poor for 10 (a second) and 100. The step below was searched for: for
// points at each 0.1, 1, 5, 10, 15, 20, 30, 60 and 120 s, and q to 100, q*k steps are
// at least 1/(6q) from a whole number. Other intervals do as well or less so; some of
// them come in runs.
const (
	slotStep = 0x2c12bc2b6b2e7ba3
	nthStep  = 0x6a09e667f3bcc909 // 2^64 * (√2-1): points that lie in one slot
)

// fate is what a thinning has for a point.
type fate uint8

const (
	stays fate = iota
	cutByTurn
	cutAgain
)

// thinned says whether a point stays, and counts one that passes the first cut.
func (r *run) thinned(hash uint64, attributes pcommon.Map, at pcommon.Timestamp) fate {
	if r.thin == (Thinning{}) {
		r.out.Passed++
		return stays
	}
	if at == 0 {
		at = pcommon.Timestamp(r.now)
	}
	turn := place(r.place, attributes) + uint64(at)/uint64(Slot)*slotStep
	// Of a series with more points than slots, which come one behind the other, each has
	// a turn of its own.
	if turn == r.turn {
		r.nth++
	} else {
		r.turn, r.nth = turn, 0
	}
	turn += r.nth * nthStep
	if turn>>8 < r.thin.Below {
		return cutByTurn
	}
	r.out.Passed++
	if Combine(hash, turn)>>8 < r.thin.Again {
		return cutAgain
	}
	return stays
}

// place is where in the turns a series begins. It is no identity: series that share one
// are cut alike. So it looks at little, and has no key, for it is to be the same in
// every process.
func place(seed uint64, attributes pcommon.Map) uint64 {
	sum := seed
	for k, v := range attributes.All() {
		kind := uint64(len(k))<<8 | uint64(v.Type())
		switch v.Type() {
		case pcommon.ValueTypeStr:
			sum += placeText(kind, v.Str())
		case pcommon.ValueTypeInt:
			sum += mix(kind, uint64(v.Int()))
		case pcommon.ValueTypeDouble:
			sum += mix(kind, math.Float64bits(v.Double()))
		case pcommon.ValueTypeBool:
			if v.Bool() {
				kind++
			}
			sum += mix(kind, 1)
		default:
			sum += mix(kind, 2)
		}
	}
	return sum
}

// placeText hashes a text without a key, eight bytes at a time.
func placeText(seed uint64, s string) uint64 {
	h := seed ^ uint64(len(s))<<32
	for len(s) >= 8 {
		h = mix(h, word(s))
		s = s[8:]
	}
	last := uint64(0)
	for i := range len(s) {
		last = last<<8 | uint64(s[i])
	}
	return mix(h, last)
}

// word returns the first eight bytes of a text, of one order everywhere.
func word(s string) uint64 {
	b := unsafe.Slice(unsafe.StringData(s), 8)
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// cut counts a point that does not stay. Its series is as active as before: it is one
// that is sent, and would be a new one else after a few points that go.
func (r *run) cut(why fate, hash uint64, attributes pcommon.Map, carried bool) {
	switch {
	case !carried:
		r.out.DroppedUncarried++
	case why == cutAgain:
		r.out.DroppedSkewed++
	default:
		r.out.DroppedRate++
	}
	s := r.s
	if at := s.series.find(whole(hash)); at != nil {
		if at.generation != s.generation && r.metric != nil {
			at.generation = s.generation
			s.touch(r.metric, attributes, 0)
		}
		return
	}
	if !r.cumulative {
		return
	}
	if r.resource != nil && !r.settled {
		r.resource.thinned = true
	}
	// What a folded series said last stays too: its next value would count whole.
	if e := s.lasts.known(whole(hash)); e != nil {
		e.generation = s.generation
	} else if l := s.histograms[hash]; l != nil {
		l.generation = s.generation
	} else {
		return
	}
	if t := s.targets[r.overflow]; t != nil {
		t.generation = s.generation
		s.overflowing(r.overflow)
	}
}
