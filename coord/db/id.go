// SPDX-License-Identifier: Apache-2.0

package db

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"
)

// checkName returns an [*InputError] unless the name can be that of a collection
// or a field: 1 to 64 lower-case letters, digits and underscores, a letter first.
// That is what every database takes for an identifier as it is.
func checkName(collection, field, name string) error {
	switch {
	case name == "":
		return &InputError{collection, field, "is empty", 0}
	case len(name) > MaxName:
		return tooLong(collection, field, len(name), MaxName)
	case name[0] < 'a' || name[0] > 'z' || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	}):
		return &InputError{collection, field,
			fmt.Sprintf("is %q: it takes lower-case letters, digits and underscores, a letter first", name), 0}
	}
	return nil
}

// checkID returns an [*InputError] unless the id can be used: 1 to 256 visible
// ASCII characters. So it means the same in a URL, a log line and a shell, and two
// ids that look alike are alike.
func checkID(collection, id string) error {
	switch {
	case id == "":
		return &InputError{collection, idField, "is empty", 0}
	case len(id) > MaxID:
		return tooLong(collection, idField, len(id), MaxID)
	case strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }):
		return &InputError{collection, idField, "holds a character that is not visible ASCII", 0}
	}
	return nil
}

// ids makes ids that sort by the time of their making: UUIDs of version 7 (RFC
// 9562) whose 12 bits behind the millisecond are its fraction (method 3 of section
// 6.2). Those of one process always grow; those of several are as ordered as their
// clocks.
type ids struct {
	mu   sync.Mutex
	last uint64 // milliseconds × 4096 + fraction
}

func (g *ids) next(now time.Time) string {
	ms := uint64(now.UnixMilli())
	fraction := uint64(now.Nanosecond()%int(time.Millisecond)) * 4096 / uint64(time.Millisecond)
	g.mu.Lock()
	g.last = max(g.last+1, ms<<12|fraction)
	at := g.last
	g.mu.Unlock()

	var id [16]byte
	_, _ = rand.Read(id[8:]) // never fails
	binary.BigEndian.PutUint64(id[:8], at>>12<<16|0x7000|at&0xfff)
	id[8] = id[8]&0x3f | 0x80 // the variant of RFC 9562

	text := make([]byte, 36)
	hex.Encode(text, id[:4])
	text[8] = '-'
	hex.Encode(text[9:], id[4:6])
	text[13] = '-'
	hex.Encode(text[14:], id[6:8])
	text[18] = '-'
	hex.Encode(text[19:], id[8:10])
	text[23] = '-'
	hex.Encode(text[24:], id[10:])
	return string(text)
}
