// SPDX-License-Identifier: Apache-2.0

package db

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// A cursor is base64url of
//
//	format (1 byte) | query (8 bytes) | length of the id (2 bytes) | id | value
//
// where query is the beginning of the SHA-256 of the selection, without its limit,
// so that a cursor is refused by another query. It is not secret and needs no
// signature: whoever changes one gets another place in the same query's answer.
const (
	cursorFormat = 1
	cursorQuery  = 8
	cursorHead   = 1 + cursorQuery + 2
)

func formatCursor(s *Selection, at Position) string {
	b := append([]byte{cursorFormat}, fingerprint(s)...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(at.ID)))
	b = append(b, at.ID...)
	if at.Value != nil {
		b = appendValue(b, at.Value)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor returns the position that the cursor holds, whose order has the
// type.
func parseCursor(cursor string, s *Selection, t Type) (*Position, error) {
	if len(cursor) > MaxCursor {
		return nil, tooLong(s.Collection, "cursor", len(cursor), MaxCursor)
	}
	malformed := &InputError{s.Collection, "cursor", "is malformed", 0}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	switch {
	case err != nil || len(b) < cursorHead || b[0] != cursorFormat:
		return nil, malformed
	case !bytes.Equal(b[1:1+cursorQuery], fingerprint(s)):
		return nil, &InputError{s.Collection, "cursor", "belongs to another query", 0}
	}
	n := int(binary.BigEndian.Uint16(b[cursorHead-2:]))
	b = b[cursorHead:]
	if n > len(b) || checkID(s.Collection, string(b[:n])) != nil {
		return nil, malformed
	}
	p := &Position{ID: string(b[:n])}
	b = b[n:]
	if s.Order == idField {
		if len(b) > 0 {
			return nil, malformed
		}
		return p, nil
	}
	v, ok := parseValue(b, t)
	if !ok {
		return nil, malformed
	}
	p.Value = v
	return p, nil
}

// fingerprint tells queries apart. Each part has its length in front, so that no
// two queries write the same bytes.
func fingerprint(s *Selection) []byte {
	h := sha256.New()
	part := func(b []byte) {
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b)))) // never fails
		_, _ = h.Write(b)
	}
	part([]byte(s.Collection))
	part([]byte(s.Order))
	part(fmt.Appendf(nil, "%t", s.Descending))
	for _, c := range s.Where {
		part([]byte(c.Field))
		part([]byte{byte(c.Op)})
		part(binary.BigEndian.AppendUint32(nil, uint32(len(c.Values))))
		for _, v := range c.Values {
			part(appendValue(nil, v))
		}
	}
	return h.Sum(nil)[:cursorQuery]
}

// appendValue writes a canonical value; its type is known from the field.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(b, v...)
	case int64:
		return binary.BigEndian.AppendUint64(b, uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	case time.Time:
		return binary.BigEndian.AppendUint64(b, uint64(v.UnixMicro()))
	case bool:
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	}
	return b
}

// parseValue reads what appendValue wrote and reports whether it is a canonical
// value of the type.
func parseValue(b []byte, t Type) (any, bool) {
	var v any
	switch {
	case t == TypeString:
		v = string(b)
	case t == TypeBool && len(b) == 1 && b[0] <= 1:
		return b[0] == 1, true
	case len(b) != 8:
		return nil, false
	case t == TypeInt:
		return int64(binary.BigEndian.Uint64(b)), true
	case t == TypeFloat:
		v = math.Float64frombits(binary.BigEndian.Uint64(b))
	case t == TypeTime:
		v = time.UnixMicro(int64(binary.BigEndian.Uint64(b)))
	}
	c, err := t.canonical(v)
	return c, err == nil
}
