// SPDX-License-Identifier: Apache-2.0

package series

import "unsafe"

// table is an exact set of 64-bit hashes, each with a word for its owner and the
// generation in which it was seen last: open addressing, linear probing, at most
// three quarters full, deletion by shifting back, so that it needs no tombstones.
type table struct {
	memory *Memory
	slots  []slot // a power of two of them, or none
	used   int
}

// slot is 16 bytes. A hash of 0 is a free one.
type slot struct {
	hash       uint64
	owner      uint32
	generation uint32
}

const (
	slotSize   = int(unsafe.Sizeof(slot{}))
	firstSlots = 64
)

// whole keeps 0 for free slots.
func whole(hash uint64) uint64 {
	if hash == 0 {
		return 1
	}
	return hash
}

// find returns the slot of a hash, nil when it is not there.
func (t *table) find(hash uint64) *slot {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch s := &t.slots[i]; s.hash {
		case hash:
			return s
		case 0:
			return nil
		}
	}
}

// add puts in a hash that is not there, and says whether there was memory for it.
func (t *table) add(s slot) bool {
	if t.used*4 >= len(t.slots)*3 && !t.resize(max(2*len(t.slots), firstSlots)) {
		return false
	}
	t.put(s)
	t.used++
	return true
}

func (t *table) put(s slot) {
	mask := uint64(len(t.slots) - 1)
	i := s.hash & mask
	for t.slots[i].hash != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

func (t *table) resize(n int) bool {
	if !t.memory.take(n * slotSize) {
		return false
	}
	old := t.slots
	t.slots = make([]slot, n)
	for _, s := range old {
		if s.hash != 0 {
			t.put(s)
		}
	}
	t.memory.give(len(old) * slotSize)
	return true
}

// sweep takes out what was last seen before a generation, and gives memory back when
// little is left.
func (t *table) sweep(before uint32, gone func(owner uint32)) {
	for i := range t.slots {
		for t.slots[i].hash != 0 && t.slots[i].generation < before {
			gone(t.slots[i].owner)
			t.remove(uint64(i))
			t.used--
		}
	}
	for n := len(t.slots); n > firstSlots && t.used*8 < n; n = len(t.slots) {
		if !t.resize(n / 2) {
			return
		}
	}
}

// remove frees a slot and moves up those that lie behind it because it was taken.
func (t *table) remove(hole uint64) {
	mask := uint64(len(t.slots) - 1)
	for i := (hole + 1) & mask; t.slots[i].hash != 0; i = (i + 1) & mask {
		home := t.slots[i].hash & mask
		if (i-home)&mask >= (i-hole)&mask { // it may lie as far up as the hole
			t.slots[hole] = t.slots[i]
			hole = i
		}
	}
	t.slots[hole] = slot{}
}

// free gives the memory back.
func (t *table) free() {
	t.memory.give(len(t.slots) * slotSize)
	t.slots, t.used = nil, 0
}
