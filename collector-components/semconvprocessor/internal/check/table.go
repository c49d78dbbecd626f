// SPDX-License-Identifier: Apache-2.0

package check

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// table finds the attributes of a registry by their names. A name is hashed, and
// for the most part compared, by its length, its first eight and its last eight
// bytes, which takes half of the time of Go's map; and finding names is half of a
// check. A table does not change after it was made, so that what telemetry sends
// cannot make it slow: a search ends at the first free slot, and more than half of
// the slots are free.
type table struct {
	slots []slot
	shift uint
}

type slot struct {
	first, last uint64
	key         string
	to          *attribute
}

func newTable(of map[string]*attribute) table {
	size := 16
	for size < 2*len(of) {
		size *= 2
	}
	t := table{slots: make([]slot, size), shift: uint(64 - bits.TrailingZeros(uint(size)))}
	for key, a := range of {
		first, last := ends(key)
		i := hash(first, last, len(key)) >> t.shift
		for t.slots[i].to != nil {
			i = (i + 1) & uint64(size-1)
		}
		t.slots[i] = slot{first, last, key, a}
	}
	return t
}

// find returns the attribute of a name, nil when there is none.
func (t *table) find(key string) *attribute {
	first, last := ends(key)
	i := hash(first, last, len(key)) >> t.shift
	for mask := uint64(len(t.slots) - 1); ; i++ {
		s := &t.slots[i&mask]
		if s.to == nil {
			return nil
		}
		if s.first == first && s.last == last && len(s.key) == len(key) &&
			(len(key) <= 16 || s.key[8:len(key)-8] == key[8:len(key)-8]) {
			return s.to
		}
	}
}

// ends returns the first eight and the last eight bytes of a name, which are all
// of one of up to sixteen.
func ends(key string) (first, last uint64) {
	n := len(key)
	if n >= 8 {
		b := unsafe.Slice(unsafe.StringData(key), n) // only read, and not kept
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	}
	for i := range n {
		first = first<<8 | uint64(key[i])
	}
	return first, 0
}

// hash spreads to the high bits what tells names apart (Fibonacci hashing).
func hash(first, last uint64, n int) uint64 {
	const odd = 0x9E3779B97F4A7C15
	return (first ^ bits.RotateLeft64(last*odd, 29) ^ uint64(n)) * odd
}
