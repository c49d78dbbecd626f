// SPDX-License-Identifier: Apache-2.0

package db_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/db"
	"pgregory.net/rapid"
)

var (
	someStrings = []string{"", "a", "A", "ab", "b", "a\u007f", "é", "\ud7ff", "\ue000", "\U0010ffff", "%", "_", "10", "9"}
	someInts    = []int64{math.MinInt64, -1, 0, 1, 2, 9, 10, 1<<53 + 1, math.MaxInt64}
	someFloats  = []float64{-math.MaxFloat64, -1.5, math.Copysign(0, -1), 0, 0.1, 1, 1 << 53, math.SmallestNonzeroFloat64, math.MaxFloat64}
	someTimes   = []time.Time{{}, time.Unix(0, 0), time.Unix(0, 999), time.Unix(0, 1001), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
	someIDs     = []string{"a", "A", "b", "ab", "a/b", "~", "!"}

	allFields = []db.Field{db.String("s"), db.Int("i"), db.Float("f"), db.Bool("b"), db.Time("t")}
)

// drawValue draws a value of a field, seldom one of the wrong type.
func drawValue(t *rapid.T, field string) any {
	if rapid.IntRange(0, 49).Draw(t, "wrong type") == 0 {
		return struct{}{}
	}
	switch field {
	case "id":
		return rapid.SampledFrom(someIDs).Draw(t, "id")
	case "s":
		return rapid.SampledFrom(someStrings).Draw(t, "string")
	case "i":
		return rapid.SampledFrom(someInts).Draw(t, "int")
	case "f":
		return rapid.SampledFrom(someFloats).Draw(t, "float")
	case "b":
		return rapid.Bool().Draw(t, "bool")
	default:
		return rapid.SampledFrom(someTimes).Draw(t, "time")
	}
}

func drawMetadata(t *rapid.T) db.Metadata {
	m := db.Metadata{}
	for _, f := range allFields {
		if rapid.IntRange(0, 3).Draw(t, "has "+f.Name) > 0 {
			m[f.Name] = drawValue(t, f.Name)
		}
	}
	return m
}

func drawQuery(t *rapid.T) db.Query {
	names := []string{"id", "s", "i", "f", "b", "t"}
	q := db.Query{
		Order:      rapid.SampledFrom(append(names, "")).Draw(t, "order"),
		Descending: rapid.Bool().Draw(t, "descending"),
		Limit:      rapid.IntRange(1, 4).Draw(t, "limit"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "conditions") {
		c := db.Condition{
			Field: rapid.SampledFrom(names).Draw(t, "field"),
			Op:    db.Operator(rapid.IntRange(int(db.OpEqual), int(db.OpPrefix)).Draw(t, "operator")),
		}
		values := 1
		if c.Op == db.OpIn {
			values = rapid.IntRange(1, 4).Draw(t, "values")
		}
		for range values {
			c.Values = append(c.Values, drawValue(t, c.Field))
		}
		q.Where = append(q.Where, c)
	}
	return q
}

// subject is one of the two databases that are compared.
type subject struct {
	db      *db.DB
	records *db.Collection[string]
}

func subjectOf(t *rapid.T, d *db.DB) subject {
	c, err := db.Of[string](context.Background(), d, "records", allFields...)
	if err != nil {
		t.Fatal(err)
	}
	return subject{d, c}
}

// answer is what a call says, without times.
type answer struct {
	Records []db.Record[string]
	Cursor  string
	Err     string
}

func answerOf(err error, cursor string, records ...db.Record[string]) answer {
	a := answer{Cursor: cursor}
	if err != nil {
		a.Err = err.Error()
		return a
	}
	for _, r := range records {
		r.Created, r.Updated = time.Time{}, time.Time{}
		a.Records = append(a.Records, r)
	}
	return a
}

// SQLite and a map in memory must answer every sequence of calls alike.
func TestSQLiteAnswersAsMemoryDoes(t *testing.T) {
	dir := t.TempDir()
	checks := 0
	rapid.Check(t, func(t *rapid.T) {
		checks++
		path := filepath.Join(dir, fmt.Sprint(checks)+".db")
		file, err := db.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		memory := db.Memory()
		defer func() {
			if err := errors.Join(file.Close(), memory.Close(), os.Remove(path)); err != nil {
				t.Error(err)
			}
		}()
		both := []subject{subjectOf(t, file), subjectOf(t, memory)}
		for range rapid.IntRange(1, 30).Draw(t, "calls") {
			call := drawCall(t)
			onFile, inMemory := call(both[0]), call(both[1])
			if !reflect.DeepEqual(onFile, inMemory) {
				t.Fatalf("SQLite answers %+v\nmemory  answers %+v", onFile, inMemory)
			}
		}
	})
}

// drawCall draws one call, which is then made to each.
func drawCall(t *rapid.T) func(subject) []answer {
	ctx := context.Background()
	id := rapid.SampledFrom(someIDs).Draw(t, "id")
	version := rapid.Int64Range(1, 3).Draw(t, "version")
	text := rapid.SampledFrom(someStrings).Draw(t, "value")
	m := drawMetadata(t)
	switch rapid.IntRange(0, 8).Draw(t, "call") {
	case 0, 1, 2:
		return func(s subject) []answer {
			r, err := s.records.Create(ctx, id, text, m)
			return []answer{answerOf(err, "", r)}
		}
	case 3:
		return func(s subject) []answer {
			r, err := s.records.Update(ctx, id, version, text, m)
			return []answer{answerOf(err, "", r)}
		}
	case 4:
		return func(s subject) []answer { return []answer{answerOf(s.records.Delete(ctx, id, version), "")} }
	case 5:
		other := rapid.SampledFrom(someIDs).Draw(t, "other id")
		return func(s subject) []answer {
			return []answer{answerOf(s.db.Commit(ctx, s.records.Creating(id, text, m), s.records.Updating(other, version, text, m)), "")}
		}
	case 6:
		return func(s subject) []answer {
			r, err := s.records.Read(ctx, id)
			return []answer{answerOf(err, "", r)}
		}
	default:
		q := drawQuery(t)
		return func(s subject) (all []answer) {
			q := q
			for {
				p, err := s.records.Search(ctx, q)
				all = append(all, answerOf(err, p.Cursor, p.Records...))
				if q.Cursor = p.Cursor; err != nil || q.Cursor == "" {
					return all
				}
			}
		}
	}
}

func FuzzCursor(f *testing.F) {
	d := db.Memory()
	f.Cleanup(func() { _ = d.Close() })
	c, err := db.Of[string](context.Background(), d, "records", allFields...)
	if err != nil {
		f.Fatal(err)
	}
	for _, id := range someIDs {
		if _, err := c.Create(context.Background(), id, "", db.Metadata{"s": "x" + id, "f": 1.5, "t": time.Unix(1, 0), "b": true, "i": 1}); err != nil {
			f.Fatal(err)
		}
	}
	orders := []string{"id", "s", "i", "f", "b", "t"}
	for i, order := range orders {
		p, err := c.Search(context.Background(), db.Query{Order: order, Limit: 1})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Cursor, uint8(i))
	}
	f.Fuzz(func(t *testing.T, cursor string, order uint8) {
		_, err := c.Search(context.Background(), db.Query{Order: orders[int(order)%len(orders)], Cursor: cursor, Limit: 1})
		var e *db.InputError
		if err != nil && (!errors.As(err, &e) || e.Field != "cursor") {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	})
}
