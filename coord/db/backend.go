// SPDX-License-Identifier: Apache-2.0

package db

import (
	"context"
	"time"
)

// Backend is where records live. [DB] checks every argument before it calls one,
// never calls it after Close, and keeps to collections that it has defined.
// Implementations run the suite coordtest.DB.
type Backend interface {
	// Define makes the collection if it is not there, and those of the fields that
	// are not there, each with what makes a search by it fast. A field that is
	// there with another type is an [*InputError] of "fields.<name>". Nobody uses
	// a collection before Define has succeeded, nor calls it again afterwards.
	Define(ctx context.Context, collection string, fields []Field) error

	// Get returns a record, or [ErrNotFound].
	Get(ctx context.Context, collection, id string) (Entry, error)

	// Find returns the records that the selection wants, in its order, from one
	// consistent state.
	Find(ctx context.Context, s Selection) (Found, error)

	// Commit applies all operations, durably, and returns a stamp for each, or
	// applies none with a [*ConflictError] of the first whose record is not at its
	// version. No record is in two operations. An error that is [ErrUncertain]
	// leaves open whether they were applied; after any other none was.
	Commit(ctx context.Context, operations []Operation) ([]Stamp, error)

	// Close releases what the backend holds. It is called once, when no other
	// call is running.
	Close() error
}

// Metadata is what a record is found by: values of the collection's fields. The
// values that are read are of type string, int64, float64, bool or time.Time.
// Written may be every Go value of the same kind, and an integer for a Float field
// if a float64 holds it exactly.
type Metadata map[string]any

// Stamp is what a write makes of a record. That of a deleted or a merely expected
// one has the version that it had.
type Stamp struct {
	Version int64     // 1 when created, one more with every update
	Created time.Time // by the writer's clock, in UTC, to the microsecond
	Updated time.Time // the same
}

// Entry is a record as a backend keeps it.
type Entry struct {
	ID string
	Stamp
	Metadata Metadata
	Body     []byte
}

// Size returns the bytes by which pages and commits are limited: of the body and
// of the strings in the metadata.
func (e *Entry) Size() int { return size(e.Body, e.Metadata) }

func size(body []byte, metadata Metadata) int {
	n := len(body)
	for _, v := range metadata {
		if s, ok := v.(string); ok {
			n += len(s)
		}
	}
	return n
}

// Selection is a [Query] that was checked: its values have the fields' types.
type Selection struct {
	Collection string
	Where      []Condition // all must hold; "id" is a field of type [TypeString]
	Order      string      // field; "id" if the query named none
	Descending bool        // the ids within one value too
	After      *Position   // nil from the beginning
	Limit      int
}

// Position is a place in an order: that of a record.
type Position struct {
	Value any // of the field of the order; nil when that is "id"
	ID    string
}

// Found is a part of what a selection wants. It ends before the record that would
// take its size beyond [MaxPageBytes], but has one record at least.
type Found struct {
	Entries []Entry
	More    bool // there are more after the last
}

// OperationKind is what an [Operation] does.
type OperationKind uint8

// The kinds of operations.
const (
	KindCreate OperationKind = iota + 1 // there must be no record
	KindUpdate                          // replaces the body and all declared metadata
	KindDelete
	KindExpect // changes nothing: the record must be at the version
)

// Operation writes one record.
type Operation struct {
	Kind       OperationKind
	Collection string
	ID         string
	Version    int64 // that the record must have; 0 for KindCreate
	Metadata   Metadata
	Body       []byte
	Time       time.Time
}
