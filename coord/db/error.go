// SPDX-License-Identifier: Apache-2.0

package db

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound is returned for a record that is not there. A [*ConflictError]
	// whose record is not there is an ErrNotFound too.
	ErrNotFound = errors.New("db: not found")

	// ErrClosed is returned after Close.
	ErrClosed = errors.New("db: closed")

	// ErrBusy is returned when another process held the file's lock for too long.
	// Nothing was written.
	ErrBusy = errors.New("db: busy")

	// ErrFull is returned when there is no room. Nothing was written.
	ErrFull = errors.New("db: full")

	// ErrUncertain is returned for a write that may or may not have happened: the
	// answer to its commit was an error of the disk, or was lost.
	ErrUncertain = errors.New("db: the write may have happened")

	// ErrCorrupt is returned when the file, or a record in it, is damaged.
	ErrCorrupt = errors.New("db: corrupt")

	// ErrForeign is returned when the file belongs to another application.
	ErrForeign = errors.New("db: not a file of this package")
)

// Limits.
const (
	MaxCollections  = 256     // of one DB
	MaxName         = 64      // bytes of the name of a collection or a field
	MaxID           = 256     // bytes of an id
	MaxBody         = 1 << 20 // bytes of a record's JSON
	MaxFields       = 32      // of a collection
	MaxString       = 1 << 10 // bytes of a string in metadata or in a condition
	MaxConditions   = 8       // of a query
	MaxIn           = 100     // values of an [In] condition
	MaxLimit        = 1000    // records of a page
	DefaultLimit    = 100     // records of a page when the query does not say
	MaxPageBytes    = 8 << 20 // bytes of a page; it ends early, after one record or more
	MaxCursor       = 2048    // bytes of a cursor
	MaxCommitWrites = 128     // of one commit
	MaxCommitBytes  = 4 << 20 // bytes of all records of one commit
	maxLocation     = 4096    // bytes of what Open is given
)

// InputError says which argument was refused and why. It holds no values of
// records.
type InputError struct {
	Collection string // "" if the argument is not about one
	Field      string // "id", "body", "metadata.owner", "where.total", "limit", "cursor", ...
	Reason     string // "has 300 bytes, more than 256"
	Limit      int    // that was exceeded; 0 if it was something else
}

func (e *InputError) Error() string {
	if e.Collection == "" {
		return fmt.Sprintf("db: %s %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("db: collection %q: %s %s", e.Collection, e.Field, e.Reason)
}

// tooLong is the error of an argument with more bytes than it may have.
func tooLong(collection, field string, size, limit int) *InputError {
	return &InputError{collection, field, fmt.Sprintf("has %d bytes, more than %d", size, limit), limit}
}

// tooMany is the error of a list with more elements than it may have.
func tooMany(collection, field, what string, n, limit int) *InputError {
	return &InputError{collection, field, fmt.Sprintf("has %d %s, more than %d", n, what, limit), limit}
}

// ConflictError says which record was not as the writer had seen it. Nothing was
// written.
type ConflictError struct {
	Collection string
	ID         string
	Expected   int64 // version that the writer saw; 0: no record
	Actual     int64 // version that is there; 0: no record
}

func (e *ConflictError) Error() string {
	switch {
	case e.Expected == 0:
		return fmt.Sprintf("db: collection %q: record %q is there already, at version %d", e.Collection, e.ID, e.Actual)
	case e.Actual == 0:
		return fmt.Sprintf("db: collection %q: record %q is not there, the writer expected version %d", e.Collection, e.ID, e.Expected)
	}
	return fmt.Sprintf("db: collection %q: record %q is at version %d, the writer expected %d", e.Collection, e.ID, e.Actual, e.Expected)
}

// Is makes the conflict with a record that is not there an [ErrNotFound].
func (e *ConflictError) Is(target error) bool { return target == ErrNotFound && e.Actual == 0 }

// DecodeError says which record does not fit the collection's Go type.
type DecodeError struct {
	Collection string
	ID         string
	Err        error // of encoding/json
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("db: collection %q: record %q does not decode: %v", e.Collection, e.ID, e.Err)
}

func (e *DecodeError) Unwrap() error { return e.Err }

// SchemaError is returned when a newer version of this package wrote the file.
type SchemaError struct {
	Path  string
	Found int // schema of the file
	Known int // newest schema that this version knows
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("db: %s has schema %d, this version knows schemas up to %d", e.Path, e.Found, e.Known)
}
