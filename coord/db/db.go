// SPDX-License-Identifier: Apache-2.0

package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// DB is a database. Everything that goes into it is checked ([*InputError]) before
// the backend sees it.
type DB struct {
	backend   Backend
	telemetry telemetry
	commit    *call
	ids       ids

	running sync.RWMutex // read-locked by calls, so that Close can wait for them
	closed  bool

	mu          sync.Mutex
	collections map[string][]Field // in the order of their names
}

// New returns a database on a backend, which belongs to it. System is the
// backend's name in telemetry, db.system.name of OpenTelemetry's semantic
// conventions: "sqlite", "postgresql".
func New(b Backend, system string) *DB {
	d := &DB{backend: b, telemetry: newTelemetry(system), collections: make(map[string][]Field)}
	d.commit = d.telemetry.call("commit", "")
	return d
}

// Open opens the database at a location, and makes it if it is not there. A
// location is the path of a SQLite file. What looks like the URL of another
// database is refused, and ":memory:" too: that is [Memory].
//
// It returns an [*InputError] for a location that is none, an error that is
// [ErrCorrupt] or [ErrForeign], or a [*SchemaError], for a file that it cannot
// use, which it leaves as it is, and [ErrBusy] if another process keeps the file
// locked.
func Open(ctx context.Context, location string) (*DB, error) {
	if err := checkLocation(location); err != nil {
		return nil, err
	}
	b, err := openSQLite(ctx, location)
	if err != nil {
		return nil, err
	}
	return New(b, "sqlite"), nil
}

// Memory returns a database that lives in this process, for tests: at most
// [MaxMemoryRecords] records, which end with it.
func Memory() *DB { return New(MemoryBackend(), "memory") }

func checkLocation(location string) error {
	scheme, _, isURL := strings.Cut(location, "://")
	switch {
	case location == "":
		return &InputError{"", "location", "is empty", 0}
	case len(location) > maxLocation:
		return tooLong("", "location", len(location), maxLocation)
	case strings.ContainsRune(location, 0):
		return &InputError{"", "location", "holds a zero byte", 0}
	case isURL:
		return &InputError{"", "location", fmt.Sprintf("has the scheme %s, which is not known: it takes the path of a SQLite file", quote(scheme)), 0}
	case strings.HasPrefix(location, "file:") || strings.HasPrefix(location, ":memory:"):
		return &InputError{"", "location", "is a name that only SQLite knows: it takes a path, and for memory there is Memory", 0}
	}
	return nil
}

// enter begins a call. After an error the call is not to be made; without one leave
// must follow.
func (d *DB) enter(ctx context.Context) error {
	d.running.RLock()
	var err error
	switch {
	case d.closed:
		err = ErrClosed
	case ctx.Err() != nil:
		err = fmt.Errorf("db: %w", ctx.Err())
	}
	if err != nil {
		d.running.RUnlock()
	}
	return err
}

func (d *DB) leave() { d.running.RUnlock() }

// Close waits for the calls that are running and closes the backend. It is
// idempotent. Calls that follow return [ErrClosed].
func (d *DB) Close() error {
	d.running.Lock()
	defer d.running.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return d.backend.Close()
}

// define makes a collection and its fields, once in the life of the database.
func (d *DB) define(ctx context.Context, collection string, fields []Field) error {
	if err := checkFields(collection, fields); err != nil {
		return err
	}
	fields = slices.SortedFunc(slices.Values(fields), func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	d.mu.Lock()
	defer d.mu.Unlock()
	known, there := d.collections[collection]
	switch {
	case there && slices.Equal(known, fields):
		return nil
	case there:
		return &InputError{collection, "fields", "differ from those that this process has declared before", 0}
	case len(d.collections) >= MaxCollections:
		return tooMany(collection, "collections", "names", len(d.collections)+1, MaxCollections)
	}
	if err := d.backend.Define(ctx, collection, fields); err != nil {
		return err
	}
	d.collections[collection] = fields
	return nil
}

func checkFields(collection string, fields []Field) error {
	if err := checkName("", "collection", collection); err != nil {
		return err
	}
	if len(fields) > MaxFields {
		return tooMany(collection, "fields", "fields", len(fields), MaxFields)
	}
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		if err := checkName(collection, "fields", f.Name); err != nil {
			return err
		}
		field := "fields." + f.Name
		switch {
		case f.Name == idField:
			return &InputError{collection, field, "is there always and not declared", 0}
		case !f.Type.known():
			return &InputError{collection, field, fmt.Sprintf("has the unknown %v", f.Type), 0}
		case seen[f.Name]:
			return &InputError{collection, field, "is declared twice", 0}
		}
		seen[f.Name] = true
	}
	return nil
}

// Write is one write of a [DB.Commit]. [Collection.Creating], [Collection.Updating],
// [Collection.Deleting] and [Collection.Expecting] make them. What was wrong with
// their arguments is what Commit returns.
type Write struct {
	db        *DB
	operation Operation
	err       error
}

// ID returns the id of the record, also when it was made by the database: a
// record in the same commit can hold it.
func (w Write) ID() string { return w.operation.ID }

// Commit applies all writes, which may be of several collections, or none. It
// returns a [*ConflictError] of the first write whose record is not as expected,
// and an error that is [ErrUncertain] when it cannot be known whether they were
// applied. A created record is at version 1, an updated one at the version after
// the one that was expected.
func (d *DB) Commit(ctx context.Context, writes ...Write) error {
	_, err := d.apply(ctx, d.commit, writes)
	return err
}

// apply commits the writes as one call of telemetry and returns their stamps.
func (d *DB) apply(ctx context.Context, c *call, writes []Write) (stamps []Stamp, err error) {
	ctx, end := c.begin(ctx)
	defer func() { end(err) }()
	if err := d.enter(ctx); err != nil {
		return nil, err
	}
	defer d.leave()
	if len(writes) > 1 { // what the conventions call a batch
		trace.SpanFromContext(ctx).SetAttributes(semconv.DBOperationBatchSize(len(writes)))
	}
	operations, err := d.operations(writes)
	if err != nil || len(operations) == 0 {
		return nil, err
	}
	stamps, err = d.backend.Commit(ctx, operations)
	if err == nil && len(stamps) != len(operations) {
		return nil, errors.New("db: the backend did not stamp every write")
	}
	return stamps, err
}

// operations checks the writes of one commit.
func (d *DB) operations(writes []Write) ([]Operation, error) {
	if len(writes) > MaxCommitWrites {
		return nil, tooMany("", "writes", "writes", len(writes), MaxCommitWrites)
	}
	type key struct{ collection, id string }
	seen := make(map[key]bool, len(writes))
	list := make([]Operation, 0, len(writes))
	bytes, now := 0, time.Now().UTC().Truncate(time.Microsecond)
	for _, w := range writes {
		o := w.operation
		switch k := (key{o.Collection, o.ID}); {
		case w.err != nil:
			return nil, w.err
		case w.db != d:
			return nil, &InputError{o.Collection, "writes", "hold one that was made for another database", 0}
		case seen[k]:
			return nil, &InputError{o.Collection, "writes", fmt.Sprintf("hold record %q twice", o.ID), 0}
		default:
			seen[k] = true
		}
		bytes += size(o.Body, o.Metadata)
		o.Time = now
		list = append(list, o)
	}
	if bytes > MaxCommitBytes {
		return nil, tooLong("", "writes", bytes, MaxCommitBytes)
	}
	return list, nil
}
