// SPDX-License-Identifier: Apache-2.0

package db_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/otelplat/platform/coord/db"
)

const (
	benchRecords = 10_000
	benchOwners  = 500
)

func benchOwner(i int) string { return fmt.Sprintf("owner-%d", i%benchOwners) }

// bench returns a database of 10,000 records of 500 owners, and plain connections
// to the same file, which are set as the database's own.
func bench(b *testing.B) (*db.Collection[order], *sql.DB) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bench.db")
	d := openAt(b, path)
	c := ordersOf(b, d)
	for i := 0; i < benchRecords; {
		var writes []db.Write
		for ; len(writes) < 125; i++ {
			writes = append(writes, c.Creating(fmt.Sprintf("id-%d", i), order{"tea", i}, db.Metadata{"owner": benchOwner(i), "total": i}))
		}
		if err := d.Commit(b.Context(), writes...); err != nil {
			b.Fatal(err)
		}
	}
	plain, err := sql.Open("sqlite", db.DataSource(path))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { plain.Close() })
	return c, plain
}

func BenchmarkCreate(b *testing.B) {
	c, plain := bench(b)
	m := db.Metadata{"owner": "alice", "total": 4.5}
	b.Run("db", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Create(b.Context(), "", order{"tea", 1}, m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sql", func(b *testing.B) {
		insert, err := plain.Prepare("INSERT INTO c_orders (id, version, created, updated, body, m_owner, m_total, m_shelf) VALUES (?, 1, ?, ?, ?, ?, ?, ?)")
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			body, _ := json.Marshal(order{"tea", 1})
			if _, err := insert.ExecContext(b.Context(), fmt.Sprintf("%p-%030d", b, n), 1, 1, body, "alice", 4.5, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	c, plain := bench(b)
	b.Run("db", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if _, err := c.Read(b.Context(), fmt.Sprintf("id-%d", n%benchRecords)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sql", func(b *testing.B) {
		get, err := plain.Prepare("SELECT id, version, created, updated, body, m_owner, m_total, m_shelf FROM c_orders WHERE id = ?")
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			rows, err := get.QueryContext(b.Context(), fmt.Sprintf("id-%d", n%benchRecords))
			if got := scanPlain(b, rows, err); got != 1 {
				b.Fatalf("%d rows", got)
			}
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	c, plain := bench(b)
	b.Run("db", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			p, err := c.Search(b.Context(), db.Query{Where: []db.Condition{db.Equal("owner", benchOwner(n))}})
			if err != nil || len(p.Records) != benchRecords/benchOwners {
				b.Fatal(len(p.Records), err)
			}
		}
	})
	b.Run("sql", func(b *testing.B) {
		find, err := plain.Prepare("SELECT id, version, created, updated, body, m_owner, m_total, m_shelf FROM c_orders WHERE m_owner = ? ORDER BY id LIMIT 101")
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			rows, err := find.QueryContext(b.Context(), benchOwner(n))
			if got := scanPlain(b, rows, err); got != benchRecords/benchOwners {
				b.Fatalf("%d rows", got)
			}
		}
	})
}

func scanPlain(b *testing.B, rows *sql.Rows, err error) (n int) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		var id string
		var version, created, updated int64
		var body []byte
		var owner sql.NullString
		var total sql.NullFloat64
		var shelf sql.NullInt64
		var value order
		if err := rows.Scan(&id, &version, &created, &updated, &body, &owner, &total, &shelf); err != nil {
			b.Fatal(err)
		}
		if err := json.Unmarshal(body, &value); err != nil {
			b.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return n
}
