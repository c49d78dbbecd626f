// SPDX-License-Identifier: Apache-2.0

package db

import (
	"context"
	"fmt"
	"strings"
)

// OpenSQLite returns the backend of Open, for the suite.
func OpenSQLite(ctx context.Context, path string) (Backend, error) { return openSQLite(ctx, path) }

// Pragma returns a setting of the connections.
func Pragma(ctx context.Context, backend Backend, name string) map[string]string {
	b := backend.(*sqliteBackend)
	var reader, writer string
	if err := b.readers.QueryRowContext(ctx, "PRAGMA "+name).Scan(&reader); err != nil {
		reader = err.Error()
	}
	if err := b.writer.QueryRowContext(ctx, "PRAGMA "+name).Scan(&writer); err != nil {
		writer = err.Error()
	}
	return map[string]string{"reader": reader, "writer": writer}
}

// LimitPages makes the file as good as full when it has so many pages.
func LimitPages(ctx context.Context, backend Backend, pages int) {
	var now int
	if err := backend.(*sqliteBackend).writer.QueryRowContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&now); err != nil {
		panic(err)
	}
}

// Explain returns how SQLite finds what a query of a collection selects.
func Explain[T any](ctx context.Context, c *Collection[T], q Query) (string, error) {
	s, err := q.selection(c.name, c.types)
	if err != nil {
		return "", err
	}
	b := c.db.backend.(*sqliteBackend)
	text, args := b.table(c.name).search(&s)
	rows, err := b.readers.QueryContext(ctx, "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return "", err
		}
		plan = append(plan, detail)
	}
	return strings.Join(plan, "; "), rows.Err()
}

// DataSource names a file as the writer's connection does.
func DataSource(path string) string { return dataSource(path, false) }
