// SPDX-License-Identifier: Apache-2.0

package db

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Record is a value with what the database knows of it.
type Record[T any] struct {
	ID string
	Stamp
	Metadata Metadata // the declared fields that the record has
	Value    T
}

// Page is a part of what a [Query] selects.
type Page[T any] struct {
	Records []Record[T]
	Cursor  string // for the page that follows; "" when there is none
}

// Collection is the records of one name, whose values are JSON of T.
type Collection[T any] struct {
	db    *DB
	name  string
	types map[string]Type // of the declared fields, and of "id"

	create, read, update, remove, search *call
}

// Of returns the collection of a name and makes it if it is not there: 1 to 64
// lower-case letters, digits and underscores, a letter first; so are the names of
// the fields, 32 at most. It returns an [*InputError] for a name or a field that
// cannot be, for a field that is in the database with another type, and for fields
// other than those that this process has declared for the name before.
func Of[T any](ctx context.Context, d *DB, name string, fields ...Field) (c *Collection[T], err error) {
	// The span has no name that was not checked.
	ctx, end := d.telemetry.call("define", "").begin(ctx)
	defer func() { end(err) }()
	if err := d.enter(ctx); err != nil {
		return nil, err
	}
	defer d.leave()
	if err := d.define(ctx, name, fields); err != nil {
		return nil, err
	}
	c = &Collection[T]{
		db: d, name: name, types: map[string]Type{idField: TypeString},
		create: d.telemetry.call("create", name), read: d.telemetry.call("read", name),
		update: d.telemetry.call("update", name), remove: d.telemetry.call("delete", name),
		search: d.telemetry.call("search", name),
	}
	for _, f := range fields {
		c.types[f.Name] = f.Type
	}
	return c, nil
}

// Create writes a record that is not there. An id is 1 to 256 visible ASCII
// characters; for "" the database makes one, a UUID that sorts by the time of its
// making. It returns a [*ConflictError] if there is such a record.
func (c *Collection[T]) Create(ctx context.Context, id string, value T, metadata Metadata) (Record[T], error) {
	return c.apply(ctx, c.create, c.Creating(id, value, metadata), value)
}

// Read returns a record, or [ErrNotFound], or a [*DecodeError] if it does not fit
// T.
func (c *Collection[T]) Read(ctx context.Context, id string) (r Record[T], err error) {
	ctx, end := c.read.begin(ctx)
	defer func() { end(err) }()
	if err := c.db.enter(ctx); err != nil {
		return r, err
	}
	defer c.db.leave()
	if err := checkID(c.name, id); err != nil {
		return r, err
	}
	e, err := c.db.backend.Get(ctx, c.name, id)
	if err != nil {
		return r, err
	}
	return c.record(e)
}

// Update replaces a record's value and metadata if the record is at the version,
// and else returns a [*ConflictError], which is [ErrNotFound] too if there is no
// record.
func (c *Collection[T]) Update(ctx context.Context, id string, version int64, value T, metadata Metadata) (Record[T], error) {
	return c.apply(ctx, c.update, c.Updating(id, version, value, metadata), value)
}

// Delete removes a record if it is at the version, and else returns a
// [*ConflictError], which is [ErrNotFound] too if there is no record.
func (c *Collection[T]) Delete(ctx context.Context, id string, version int64) error {
	_, err := c.db.apply(ctx, c.remove, []Write{c.Deleting(id, version)})
	return err
}

// Search returns one page of the records that the query selects. A page ends early
// when it holds [MaxPageBytes]; whether it is the last is told by its cursor
// alone. It returns an [*InputError] for what is wrong with the query, a cursor
// of another query included, and a [*DecodeError] if a record does not fit T.
func (c *Collection[T]) Search(ctx context.Context, q Query) (p Page[T], err error) {
	ctx, end := c.search.begin(ctx)
	defer func() { end(err) }()
	if err := c.db.enter(ctx); err != nil {
		return p, err
	}
	defer c.db.leave()
	s, err := q.selection(c.name, c.types)
	if err != nil {
		return p, err
	}
	found, err := c.db.backend.Find(ctx, s)
	if err != nil {
		return p, err
	}
	trace.SpanFromContext(ctx).SetAttributes(semconv.DBResponseReturnedRows(len(found.Entries)))
	p.Records = make([]Record[T], 0, len(found.Entries))
	for _, e := range found.Entries {
		r, err := c.record(e)
		if err != nil {
			return Page[T]{}, err
		}
		p.Records = append(p.Records, r)
	}
	if n := len(found.Entries); found.More && n > 0 {
		last := found.Entries[n-1]
		p.Cursor = formatCursor(&s, Position{Value: last.Metadata[s.Order], ID: last.ID})
	}
	return p, nil
}

// Creating is [Collection.Create] as a part of a [DB.Commit].
func (c *Collection[T]) Creating(id string, value T, metadata Metadata) Write {
	if id == "" {
		id = c.db.ids.next(time.Now())
	}
	return c.write(KindCreate, id, 0, &value, metadata)
}

// Updating is [Collection.Update] as a part of a [DB.Commit].
func (c *Collection[T]) Updating(id string, version int64, value T, metadata Metadata) Write {
	return c.write(KindUpdate, id, version, &value, metadata)
}

// Deleting is [Collection.Delete] as a part of a [DB.Commit].
func (c *Collection[T]) Deleting(id string, version int64) Write {
	return c.write(KindDelete, id, version, nil, nil)
}

// Expecting is a part of a [DB.Commit] that changes nothing and wants the record
// to be at the version: what the other writes were decided by.
func (c *Collection[T]) Expecting(id string, version int64) Write {
	return c.write(KindExpect, id, version, nil, nil)
}

// write checks one write; value is nil for those that carry none.
func (c *Collection[T]) write(kind OperationKind, id string, version int64, value *T, metadata Metadata) Write {
	w := Write{db: c.db, operation: Operation{Kind: kind, Collection: c.name, ID: id, Version: version}}
	if w.err = checkID(c.name, id); w.err != nil {
		return w
	}
	if kind != KindCreate && version < 1 {
		w.err = &InputError{c.name, "version", fmt.Sprintf("is %d, less than 1", version), 1}
		return w
	}
	if value == nil {
		return w
	}
	if w.operation.Metadata, w.err = c.canonical(metadata); w.err == nil {
		w.operation.Body, w.err = encode(c.name, value)
	}
	return w
}

// apply commits one write that carries a value and returns the record that it
// makes.
func (c *Collection[T]) apply(ctx context.Context, kind *call, w Write, value T) (Record[T], error) {
	stamps, err := c.db.apply(ctx, kind, []Write{w})
	if err != nil {
		return Record[T]{}, err
	}
	return Record[T]{ID: w.operation.ID, Stamp: stamps[0], Metadata: w.operation.Metadata, Value: value}, nil
}

// canonical returns the metadata with values of the fields' types.
func (c *Collection[T]) canonical(metadata Metadata) (Metadata, error) {
	if len(metadata) > MaxFields {
		return nil, tooMany(c.name, "metadata", "fields", len(metadata), MaxFields)
	}
	// In the order of the names, so that of two errors it is always the same one.
	m := make(Metadata, len(metadata))
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		t := c.types[name]
		if t == 0 || name == idField {
			return nil, &InputError{c.name, "metadata", fmt.Sprintf("has the field %s, which is not declared", quote(name)), 0}
		}
		value, err := t.canonical(metadata[name])
		if err != nil {
			err.Collection, err.Field = c.name, "metadata."+name
			return nil, err
		}
		m[name] = value
	}
	return m, nil
}

// encode returns a value's JSON, without the escapes for HTML that would make six
// bytes of one.
func encode(collection string, value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, &InputError{collection, "body", fmt.Sprintf("does not encode: %v", err), 0}
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(body) > MaxBody {
		return nil, tooLong(collection, "body", len(body), MaxBody)
	}
	return body, nil
}

func (c *Collection[T]) record(e Entry) (Record[T], error) {
	r := Record[T]{ID: e.ID, Stamp: e.Stamp, Metadata: e.Metadata}
	if err := json.Unmarshal(e.Body, &r.Value); err != nil {
		return Record[T]{}, &DecodeError{c.name, e.ID, err}
	}
	return r, nil
}
