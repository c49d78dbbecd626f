// SPDX-License-Identifier: Apache-2.0

package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// busyTimeout is how long a connection waits for another process's lock.
	busyTimeout = 5 * time.Second

	// maxReaders is how many reads run at once; more wait for their turn.
	maxReaders = 4

	// maxLog is what is left of the write-ahead log's file, in bytes, after a
	// burst has made it larger.
	maxLog = 64 << 20
)

// sqliteBackend keeps each collection in a table of its own with a column for each
// field. One connection writes, a few read.
type sqliteBackend struct {
	path    string
	readers *sql.DB

	turn   chan struct{} // holds one element while somebody uses the writer
	pool   *sql.DB       // of the writer alone
	writer *sql.Conn

	mu     sync.RWMutex
	tables map[string]*table
}

func openSQLite(ctx context.Context, location string) (*sqliteBackend, error) {
	path, err := filepath.Abs(location) // readers are opened later, when the directory may be another
	if err != nil {
		return nil, fmt.Errorf("db: open: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("db: open: %w", err)
	}
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	b := &sqliteBackend{path: path, turn: make(chan struct{}, 1), tables: make(map[string]*table)}
	if err := b.connect(ctx); err != nil {
		_ = b.Close() // the first error is the one that tells
		return nil, err
	}
	return b, nil
}

func (b *sqliteBackend) connect(ctx context.Context) (err error) {
	if b.pool, err = sql.Open("sqlite", dataSource(b.path, false)); err != nil {
		return b.failed("open", err)
	}
	b.pool.SetMaxOpenConns(1)
	if b.readers, err = sql.Open("sqlite", dataSource(b.path, true)); err != nil {
		return b.failed("open", err)
	}
	b.readers.SetMaxOpenConns(maxReaders)
	b.readers.SetMaxIdleConns(maxReaders)
	if b.writer, err = b.pool.Conn(ctx); err != nil {
		return b.failed("open", err)
	}
	return b.prepare(ctx)
}

// dataSource names the file and what each of its connections is set to.
//
// synchronous=FULL syncs the log with each commit, so that what was acknowledged
// survives the loss of power; with NORMAL only the end of the process. defensive
// and dqs take away what no statement here needs and a mistake could use.
func dataSource(path string, readOnly bool) string {
	q := url.Values{
		"_defensive": {"1"}, "_dqs": {"0"}, "_error_rc": {"1"},
		"_foreign_keys": {"1"}, "_synchronous": {"FULL"},
		"_busy_timeout": {strconv.FormatInt(busyTimeout.Milliseconds(), 10)},
		"_pragma":       {fmt.Sprintf("journal_size_limit(%d)", maxLog)},
	}
	if readOnly {
		q.Set("_query_only", "1")
	}
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a drive's letter
	}
	u := url.URL{Scheme: "file", Path: slashed, RawQuery: q.Encode()}
	return u.String()
}

// failed turns an error of SQLite into one of this package, about what was being
// done.
func (b *sqliteBackend) failed(doing string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("db: %s: %w", doing, err)
	}
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %s: another process has locked %s: %w", ErrBusy, doing, b.path, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %s: %w", ErrFull, doing, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %s: %s: %w", ErrCorrupt, doing, b.path, err)
	}
	return fmt.Errorf("db: %s: %w", doing, err)
}

// code returns SQLite's primary result code; the further bits say more than is
// needed here.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return sqlite3.SQLITE_OK
}

// take waits for the writer. Give must follow.
func (b *sqliteBackend) take(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *sqliteBackend) give() { <-b.turn }

// exclusively runs f in a transaction of the writer. The context ends the waits
// for the turn and for another process, and is looked at once more before the
// commit; it interrupts no statement, and never a commit, of which nobody could
// say what became of it.
func (b *sqliteBackend) exclusively(ctx context.Context, doing string, f func(context.Context) error) error {
	if err := b.take(ctx); err != nil {
		return b.failed(doing, err)
	}
	defer b.give()
	through := context.WithoutCancel(ctx)
	if _, err := b.writer.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		b.rollBack(through) // it may have begun as the context ended
		return b.failed(doing, err)
	}
	if err := f(through); err != nil {
		b.rollBack(through)
		return err
	}
	if err := ctx.Err(); err != nil {
		b.rollBack(through)
		return b.failed(doing, err)
	}
	if _, err := b.writer.ExecContext(through, "COMMIT"); err != nil {
		b.rollBack(through)
		err = b.failed(doing, err)
		if code(err) == sqlite3.SQLITE_IOERR {
			// The log may hold the commit although it could not be synced.
			return fmt.Errorf("%w: %w", ErrUncertain, err)
		}
		return err
	}
	return nil
}

// rollBack ends a transaction, if one has begun: its error says that none had, or
// that SQLite has ended it.
func (b *sqliteBackend) rollBack(ctx context.Context) {
	_, _ = b.writer.ExecContext(ctx, "ROLLBACK")
}

func (b *sqliteBackend) table(collection string) *table {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.tables[collection]
}

func (b *sqliteBackend) Get(ctx context.Context, collection, id string) (Entry, error) {
	t := b.table(collection)
	row := newRow(t)
	switch err := t.get.QueryRowContext(ctx, id).Scan(row.into...); {
	case errors.Is(err, sql.ErrNoRows):
		return Entry{}, fmt.Errorf("%w: record %q of %s", ErrNotFound, id, collection)
	case err != nil:
		return Entry{}, b.failed("get from "+collection, err)
	}
	return row.entry()
}

func (b *sqliteBackend) Find(ctx context.Context, s Selection) (f Found, err error) {
	doing := "search in " + s.Collection
	t := b.table(s.Collection)
	text, args := t.search(&s)
	rows, err := t.query(ctx, b.readers, text, args)
	if err != nil {
		return Found{}, b.failed(doing, err)
	}
	defer func() { _ = rows.Close() }() // what it could tell, Err has told
	bytes := 0
	row := newRow(t)
	for rows.Next() {
		if err := rows.Scan(row.into...); err != nil {
			return Found{}, b.failed(doing, err)
		}
		e, err := row.entry()
		if err != nil {
			return Found{}, err
		}
		bytes += e.Size()
		if n := len(f.Entries); n == s.Limit || n > 0 && bytes > MaxPageBytes {
			f.More = true
			return f, nil
		}
		f.Entries = append(f.Entries, e)
	}
	if err := rows.Err(); err != nil {
		return Found{}, b.failed(doing, err)
	}
	return f, nil
}

func (b *sqliteBackend) Commit(ctx context.Context, operations []Operation) ([]Stamp, error) {
	stamps := make([]Stamp, len(operations))
	err := b.exclusively(ctx, "commit", func(ctx context.Context) (err error) {
		for i, o := range operations {
			if stamps[i], err = b.write(ctx, &o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return stamps, nil
}

// write does one operation, in the order of the whole: what comes first conflicts
// first.
func (b *sqliteBackend) write(ctx context.Context, o *Operation) (Stamp, error) {
	t := b.table(o.Collection)
	s := Stamp{Version: o.Version}
	var err error
	var created, updated int64
	switch o.Kind {
	case KindCreate:
		s.Version = 1
		err = t.create.QueryRowContext(ctx, t.values(o, o.ID, o.Time.UnixMicro())...).Scan(&created, &updated)
	case KindUpdate:
		s.Version++
		err = t.update.QueryRowContext(ctx, append(t.values(o), o.ID, o.Version)...).Scan(&created, &updated)
	case KindDelete:
		err = t.remove.QueryRowContext(ctx, o.ID, o.Version).Scan(&created, &updated)
	case KindExpect:
		err = t.expect.QueryRowContext(ctx, o.ID, o.Version).Scan(&created, &updated)
	}
	s.Created, s.Updated = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	if errors.Is(err, sql.ErrNoRows) {
		return s, b.conflict(ctx, t, o)
	}
	if err != nil {
		return s, b.failed("write to "+o.Collection, err)
	}
	return s, nil
}

// conflict says what is there in place of what an operation expected.
func (b *sqliteBackend) conflict(ctx context.Context, t *table, o *Operation) error {
	c := &ConflictError{Collection: o.Collection, ID: o.ID, Expected: o.Version}
	err := t.version.QueryRowContext(ctx, o.ID).Scan(&c.Actual)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return b.failed("write to "+o.Collection, err)
	}
	return c
}

// Close moves the log into the file, if no other process has it open.
func (b *sqliteBackend) Close() error {
	var errs []error
	for _, t := range b.tables {
		errs = append(errs, t.close())
	}
	if b.readers != nil {
		errs = append(errs, b.readers.Close())
	}
	if b.writer != nil {
		errs = append(errs, b.writer.Close())
	}
	if b.pool != nil {
		errs = append(errs, b.pool.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return b.failed("close", err)
	}
	return nil
}
