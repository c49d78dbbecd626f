// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrNotFound is returned for a key that is not there.
	ErrNotFound = errors.New("kv: not found")

	// ErrUncertain is returned for a write that may or may not have happened: the
	// connection or the caller's time ended before the answer.
	ErrUncertain = errors.New("kv: the write may have happened")

	// ErrFenced is returned for a write whose token is of a lock that is not held any more,
	// or was taken by another since.
	ErrFenced = errors.New("kv: the lock that the write was made under is lost")

	// ErrClosed is returned after Close.
	ErrClosed = errors.New("kv: closed")
)

// Limits of the store. The first three are etcd's, with room for the rest of a
// request.
const (
	MaxValue      = 1 << 20 // bytes of a value
	MaxOperations = 128     // of one commit, conditions counted too
	MaxCommit     = 1 << 20 // bytes of all keys and values of one commit
	MaxKey        = 512     // bytes of a key
	maxPage       = 1000    // entries of one page
)

// ConflictError says which condition of a commit did not hold.
type ConflictError struct {
	Key      string
	Expected int64 // revision that the writer saw; 0: absent
	Actual   int64 // revision that is there; 0: absent
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("kv: key %q is at revision %d, the writer expected %d", e.Key, e.Actual, e.Expected)
}

// KeyError says why a key cannot be used.
type KeyError struct {
	Key    string
	Reason string
}

func (e *KeyError) Error() string {
	key := e.Key
	if len(key) > 64 {
		key = key[:64] + "…"
	}
	return fmt.Sprintf("kv: key %q %s", key, e.Reason)
}

// LimitError says what was too large.
type LimitError struct {
	What  string
	Size  int
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("kv: %s of %d exceeds %d", e.What, e.Size, e.Limit)
}

// CheckKey returns a [*KeyError] unless the key can be used: 1 to 512 bytes of
// printable UTF-8, parts between slashes neither empty nor "." nor "..".
func CheckKey(key string) error {
	switch {
	case key == "":
		return &KeyError{key, "is empty"}
	case len(key) > MaxKey:
		return &KeyError{key, fmt.Sprintf("has %d bytes, more than %d", len(key), MaxKey)}
	case !utf8.ValidString(key):
		return &KeyError{key, "is not UTF-8"}
	case strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }):
		return &KeyError{key, "holds a character that cannot be printed"}
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return &KeyError{key, fmt.Sprintf("has the part %q", part)}
		}
	}
	return nil
}
