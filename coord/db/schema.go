// SPDX-License-Identifier: Apache-2.0

package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	// application marks the files of this package (SQLite's application_id).
	application = 0x6f746462 // "otdb"

	// schema is the version of the tables (SQLite's user_version). Version 1: the
	// table of fields and what define makes.
	schema = 1
)

// busyPause is the time between two tries to open a file that others open too.
const busyPause = 10 * time.Millisecond

// prepare makes the file ready. Of several processes that open a new file at once
// SQLite tells some at once that it is busy, where to wait could be to wait for
// each other: they try again for as long as they would have waited.
func (b *sqliteBackend) prepare(ctx context.Context) error {
	patience := time.After(busyTimeout)
	for {
		err := b.prepareOnce(ctx)
		if !errors.Is(err, ErrBusy) {
			return err
		}
		select {
		case <-time.After(busyPause):
		case <-patience:
			return err
		case <-ctx.Done():
			return b.failed("open", ctx.Err())
		}
	}
}

// prepareOnce refuses a file that is not for this version of this package, before
// anything is written to it, and makes an empty one ready.
func (b *sqliteBackend) prepareOnce(ctx context.Context) error {
	if err := b.inspect(ctx); err != nil {
		return err
	}
	var mode string
	err := b.writer.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
	if err != nil {
		return b.failed("open", err)
	}
	if mode != "wal" {
		return fmt.Errorf("db: open: %s: a write-ahead log is not possible here, the mode is %q", b.path, mode)
	}
	return b.exclusively(ctx, "open", func(ctx context.Context) error {
		if err := b.inspect(ctx); err != nil { // as another process left it meanwhile
			return err
		}
		_, err := b.writer.ExecContext(ctx, fmt.Sprintf(`
			CREATE TABLE IF NOT EXISTS fields (
				collection TEXT NOT NULL,
				name       TEXT NOT NULL,
				type       TEXT NOT NULL,
				PRIMARY KEY (collection, name)
			) STRICT, WITHOUT ROWID;
			PRAGMA application_id = %d;
			PRAGMA user_version = %d;`, application, schema))
		if err != nil {
			return b.failed("open", err)
		}
		return nil
	})
}

// inspect looks whose file it is. It asks in one statement, which sees one state:
// another process may be making the file ready.
func (b *sqliteBackend) inspect(ctx context.Context) error {
	var of, version, tables int
	err := b.writer.QueryRowContext(ctx, `SELECT
		(SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&of, &version, &tables)
	switch {
	case err != nil:
		return b.failed("open", err)
	case of != application && (of != 0 || version != 0 || tables != 0):
		return fmt.Errorf("%w: %s", ErrForeign, b.path)
	case version > schema:
		return &SchemaError{b.path, version, schema}
	}
	return nil
}

// columnTypes are those of SQLite's strict tables. A boolean is 0 or 1, a time
// microseconds since 1970.
var columnTypes = [...]string{TypeString: "TEXT", TypeInt: "INTEGER", TypeFloat: "REAL", TypeBool: "INTEGER", TypeTime: "INTEGER"}

// Define makes the table, a column for each field, and over each column an index
// of the records that have it: (field, id) serves a comparison, an order and a
// place in that order. Names are lower-case letters, digits and underscores
// (checkName): what is put together here cannot be anything else than a name.
func (b *sqliteBackend) Define(ctx context.Context, collection string, fields []Field) error {
	err := b.exclusively(ctx, "define "+collection, func(ctx context.Context) error {
		run := func(format string, args ...any) error {
			if _, err := b.writer.ExecContext(ctx, fmt.Sprintf(format, args...)); err != nil {
				return b.failed("define "+collection, err)
			}
			return nil
		}
		err := run(`CREATE TABLE IF NOT EXISTS "c_%s" (
			id      TEXT PRIMARY KEY NOT NULL,
			version INTEGER NOT NULL,
			created INTEGER NOT NULL,
			updated INTEGER NOT NULL,
			body    BLOB NOT NULL
		) STRICT`, collection)
		if err != nil {
			return err
		}
		for _, f := range fields {
			switch there, err := b.defined(ctx, collection, f); {
			case err != nil:
				return err
			case there:
				continue
			}
			err := run(`
				ALTER TABLE "c_%[1]s" ADD COLUMN "m_%[2]s" %[3]s;
				CREATE INDEX "%[1]s.%[2]s" ON "c_%[1]s"("m_%[2]s", id) WHERE "m_%[2]s" IS NOT NULL;
				INSERT INTO fields (collection, name, type) VALUES ('%[1]s', '%[2]s', '%[4]v')`,
				collection, f.Name, columnTypes[f.Type], f.Type)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	t, err := b.openTable(ctx, collection, fields)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tables[collection] = t
	return nil
}

// defined reports whether the field is there, and as what.
func (b *sqliteBackend) defined(ctx context.Context, collection string, f Field) (bool, error) {
	var is string
	err := b.writer.QueryRowContext(ctx, "SELECT type FROM fields WHERE collection = ? AND name = ?", collection, f.Name).Scan(&is)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, b.failed("define "+collection, err)
	case is != f.Type.String():
		return false, &InputError{collection, "fields." + f.Name, fmt.Sprintf("is of type %s in the database, not %v", is, f.Type), 0}
	}
	return true, nil
}
