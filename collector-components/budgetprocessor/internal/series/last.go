// SPDX-License-Identifier: Apache-2.0

package series

import "unsafe"

// lasts holds the last values of cumulative series that are folded, from which the
// increments follow, and the increments of deltas that were cut. It is a table as that of the series, of entries of 32 bytes, at
// most most of them.
type lasts struct {
	memory *Memory
	slots  []last
	used   int
	most   int
	owed   int // entries that owe
}

// last is what a folded series said last, or what was cut of one of deltas. The bits
// are those of an int64, or of a float64.
type last struct {
	hash       uint64
	bits       uint64
	start      uint64
	generation uint32
	double     bool
	owes       bool // to the next point of its series
}

const lastSize = int(unsafe.Sizeof(last{}))

// get returns the entry of a hash, and whether it is new; nil when there is no room.
func (t *lasts) get(hash uint64) (e *last, isNew bool) {
	if len(t.slots) > 0 {
		if e := t.find(hash); e.hash == hash {
			return e, false
		}
	}
	if t.used >= t.most || t.used*4 >= len(t.slots)*3 && !t.resize(max(2*len(t.slots), firstSlots)) {
		return nil, true
	}
	t.used++
	e = t.find(hash)
	*e = last{hash: hash}
	return e, true
}

// known returns the entry of a hash, nil when there is none.
func (t *lasts) known(hash uint64) *last {
	if t.used == 0 {
		return nil
	}
	if e := t.find(hash); e.hash == hash {
		return e
	}
	return nil
}

// find returns the entry of a hash, or the free one where it belongs.
func (t *lasts) find(hash uint64) *last {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if e := &t.slots[i]; e.hash == hash || e.hash == 0 {
			return e
		}
	}
}

func (t *lasts) resize(n int) bool {
	if !t.memory.take(n * lastSize) {
		return false
	}
	old := t.slots
	t.slots = make([]last, n)
	for _, e := range old {
		if e.hash != 0 {
			*t.find(e.hash) = e
		}
	}
	t.memory.give(len(old) * lastSize)
	return true
}

// sweep takes out what was last seen before a generation.
func (t *lasts) sweep(before uint32) {
	mask := uint64(len(t.slots) - 1)
	for i := range t.slots {
		for t.slots[i].hash != 0 && t.slots[i].generation < before {
			if t.slots[i].owes {
				t.owed--
			}
			hole := uint64(i)
			for j := (hole + 1) & mask; t.slots[j].hash != 0; j = (j + 1) & mask {
				if home := t.slots[j].hash & mask; (j-home)&mask >= (j-hole)&mask {
					t.slots[hole] = t.slots[j]
					hole = j
				}
			}
			t.slots[hole] = last{}
			t.used--
		}
	}
	for n := len(t.slots); n > firstSlots && t.used*8 < n; n = len(t.slots) {
		if !t.resize(n / 2) {
			return
		}
	}
}

func (t *lasts) free() {
	t.memory.give(len(t.slots) * lastSize)
	t.slots, t.used, t.owed = nil, 0, 0
}
