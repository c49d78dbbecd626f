// SPDX-License-Identifier: Apache-2.0

package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// table is a collection in SQLite, with the statements that do not depend on what
// is searched.
type table struct {
	name    string
	fields  []Field
	columns string // of a row, in the order in which it is scanned

	get                                     *sql.Stmt // of the readers
	create, update, remove, expect, version *sql.Stmt // of the writer

	mu       sync.Mutex
	searches map[string]*sql.Stmt // of the readers, by text
}

// maxSearches is how many kinds of searches of one collection are kept prepared,
// which saves a fifth of the time of a small one. Services have few kinds; what
// comes after the first 32 is prepared each time.
const maxSearches = 32

// query runs a search.
func (t *table) query(ctx context.Context, readers *sql.DB, text string, args []any) (*sql.Rows, error) {
	t.mu.Lock()
	stmt, full := t.searches[text], len(t.searches) >= maxSearches
	t.mu.Unlock()
	if stmt != nil {
		return stmt.QueryContext(ctx, args...)
	}
	if full {
		return readers.QueryContext(ctx, text, args...)
	}
	stmt, err := readers.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	if other := t.searches[text]; other != nil || len(t.searches) >= maxSearches { // another search was faster
		t.mu.Unlock()
		_ = stmt.Close() // it has not run
		return readers.QueryContext(ctx, text, args...)
	}
	t.searches[text] = stmt
	t.mu.Unlock()
	return stmt.QueryContext(ctx, args...)
}

func column(field string) string {
	if field == idField {
		return idField
	}
	return `"m_` + field + `"`
}

func (b *sqliteBackend) openTable(ctx context.Context, collection string, fields []Field) (t *table, err error) {
	t = &table{name: `"c_` + collection + `"`, fields: slices.Clone(fields), columns: "id, version, created, updated, body",
		searches: make(map[string]*sql.Stmt)}
	defer func() {
		if err != nil {
			_ = t.close() // the first error is the one that tells
		}
	}()
	var names, sets strings.Builder
	for _, f := range fields {
		_, _ = names.WriteString(", " + column(f.Name)) // never fails
		_, _ = sets.WriteString(", " + column(f.Name) + " = ?")
	}
	marks := strings.Repeat(", ?", len(fields))
	t.columns += names.String()
	doing := "define " + collection
	if t.get, err = b.readers.PrepareContext(ctx, "SELECT "+t.columns+" FROM "+t.name+" WHERE id = ?"); err != nil {
		return nil, b.failed(doing, err)
	}
	// The writer's statements are prepared once and used by one at a time.
	if err := b.take(ctx); err != nil {
		return nil, b.failed(doing, err)
	}
	defer b.give()
	for _, s := range []struct {
		into **sql.Stmt
		text string
	}{
		{&t.create, "INSERT INTO " + t.name + " (id, version, created, updated, body" + names.String() + ") VALUES (?, 1, ?, ?, ?" + marks +
			") ON CONFLICT (id) DO NOTHING RETURNING created, updated"},
		{&t.update, "UPDATE " + t.name + " SET version = version + 1, updated = ?, body = ?" + sets.String() +
			" WHERE id = ? AND version = ? RETURNING created, updated"},
		{&t.remove, "DELETE FROM " + t.name + " WHERE id = ? AND version = ? RETURNING created, updated"},
		{&t.expect, "SELECT created, updated FROM " + t.name + " WHERE id = ? AND version = ?"},
		{&t.version, "SELECT version FROM " + t.name + " WHERE id = ?"},
	} {
		if *s.into, err = b.writer.PrepareContext(ctx, s.text); err != nil {
			return nil, b.failed(doing, err)
		}
	}
	return t, nil
}

func (t *table) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{t.get, t.create, t.update, t.remove, t.expect, t.version} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	for _, s := range t.searches {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// values returns the arguments first, and then those of an operation that writes
// a body: the time, the body and each field, NULL for those that the record has
// not.
func (t *table) values(o *Operation, first ...any) []any {
	args := append(first, o.Time.UnixMicro(), o.Body)
	for _, f := range t.fields {
		args = append(args, stored(o.Metadata[f.Name]))
	}
	return args
}

// stored is a canonical value as it is in a column.
func stored(v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case time.Time:
		return v.UnixMicro()
	}
	return v
}

// search returns the statement of a selection.
//
// A condition beside NOT NULL is what lets SQLite use the field's index, which
// holds only records that have it; and it says what a condition means.
func (t *table) search(s *Selection) (string, []any) {
	var where []string
	var args []any
	add := func(text string, values ...any) {
		where = append(where, text)
		for _, v := range values {
			args = append(args, stored(v))
		}
	}
	if s.Order != idField {
		add(column(s.Order) + " IS NOT NULL")
	}
	for _, c := range s.Where {
		name := column(c.Field)
		switch c.Op {
		case OpIn:
			add(name+" IN (?"+strings.Repeat(", ?", len(c.Values)-1)+")", c.Values...)
		case OpPrefix:
			prefix := c.Values[0].(string)
			add(name+" >= ?", prefix)
			if end, ok := prefixEnd(prefix); ok {
				add(name+" < ?", end)
			}
		default:
			add(name+operators[c.Op], c.Values[0])
		}
	}
	after, direction := " > ", ""
	if s.Descending {
		after, direction = " < ", " DESC"
	}
	order := "id" + direction
	if s.Order != idField {
		order = column(s.Order) + direction + ", " + order
	}
	switch {
	case s.After != nil && s.Order == idField:
		add("id"+after+"?", s.After.ID)
	case s.After != nil:
		add("("+column(s.Order)+", id)"+after+"(?, ?)", s.After.Value, s.After.ID)
	}
	text := "SELECT " + t.columns + " FROM " + t.name
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	// One more tells whether there is more.
	return text + " ORDER BY " + order + " LIMIT ?", append(args, s.Limit+1)
}

var operators = [...]string{OpEqual: " = ?", OpLess: " < ?", OpAtMost: " <= ?", OpGreater: " > ?", OpAtLeast: " >= ?"}

// prefixEnd returns the least string that is greater than all with the prefix: the
// order of bytes is that of code points, so that is the prefix with its last code
// point that can grow grown by one. A prefix of nothing but the greatest has none.
func prefixEnd(prefix string) (string, bool) {
	for prefix != "" {
		last, n := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-n]
		switch last {
		case utf8.MaxRune:
			continue
		case 0xd7ff: // the surrogates that follow are no characters
			last = 0xe000
		default:
			last++
		}
		return prefix + string(last), true
	}
	return "", false
}

// row is where a row is scanned into.
type row struct {
	table            *table
	id               string
	version          int64
	created, updated int64
	body             []byte
	fields           []any
	into             []any
}

func newRow(t *table) *row {
	r := &row{table: t, fields: make([]any, len(t.fields))}
	r.into = []any{&r.id, &r.version, &r.created, &r.updated, &r.body}
	for i := range r.fields {
		r.into = append(r.into, &r.fields[i])
	}
	return r
}

// entry returns what was scanned.
func (r *row) entry() (Entry, error) {
	e := Entry{
		ID:       r.id,
		Stamp:    Stamp{Version: r.version, Created: time.UnixMicro(r.created).UTC(), Updated: time.UnixMicro(r.updated).UTC()},
		Metadata: make(Metadata, len(r.fields)),
		Body:     r.body,
	}
	r.body = nil // the next row gets bytes of its own
	for i, f := range r.table.fields {
		v := r.fields[i]
		if v == nil {
			continue
		}
		if n, ok := v.(int64); ok {
			switch f.Type {
			case TypeBool:
				v = n != 0
			case TypeTime:
				v = time.UnixMicro(n).UTC()
			}
		}
		// A strict table holds nothing else; a damaged one could.
		value, err := f.Type.canonical(v)
		if err != nil {
			return Entry{}, fmt.Errorf("%w: record %q of %s: field %s %s", ErrCorrupt, r.id, r.table.name, f.Name, err.Reason)
		}
		e.Metadata[f.Name] = value
	}
	return e, nil
}
