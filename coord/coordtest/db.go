// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/db"
)

// DB tests a backend of the database. Open returns a new, empty one, which the
// suite closes.
func DB(t *testing.T, open func(t *testing.T) db.Backend) {
	for name, f := range map[string]func(*testing.T, *db.DB){
		"a record is as it was written last":                          dbCreateRead,
		"metadata keeps its values and their types":                   dbMetadata,
		"an update wants the version that was seen":                   dbUpdate,
		"a delete wants the version that was seen":                    dbDelete,
		"ids that the database makes sort by their time":              dbMadeIDs,
		"collections are apart":                                       dbApart,
		"a commit of several collections is all or nothing":           dbCommit,
		"an expectation is part of a commit and changes nothing":      dbExpect,
		"of concurrent updates one wins at each version":              dbConcurrent,
		"conditions select what they say":                             dbConditions,
		"an order is by value, then by id, and of records with it":    dbOrder,
		"pages follow each other without a gap":                       dbPages,
		"writes between two pages neither repeat nor hide the others": dbStablePages,
		"a page ends early when its records are large":                dbLargePage,
		"a cursor belongs to its query":                               dbCursor,
		"fields are declared once, with a type for ever":              dbFields,
		"bad input is refused by name before it is sent":              dbInput,
		"limits hold, and their greatest values are taken":            dbLimits,
		"an ended context writes and reads nothing":                   dbContext,
		"a body that does not fit the type is named":                  dbDecode,
		"after Close calls say so":                                    dbClose,
		"Close waits for the calls that run":                          dbCloseWaits,
	} {
		t.Run(name, func(t *testing.T) {
			d := db.New(open(t), "test")
			t.Cleanup(func() {
				if err := d.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			f(t, d)
		})
	}
}

// note is the value of the suite's records.
type note struct {
	Text string            `json:"text"`
	Tags map[string]string `json:"tags,omitempty"`
}

// places are the fields of the suite's main collection.
var placeFields = []db.Field{db.String("name"), db.Int("level"), db.Float("price"), db.Bool("open"), db.Time("since")}

func mustOf[T any](t *testing.T, d *db.DB, name string, fields ...db.Field) *db.Collection[T] {
	t.Helper()
	c, err := db.Of[T](t.Context(), d, name, fields...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func places(t *testing.T, d *db.DB) *db.Collection[note] {
	t.Helper()
	return mustOf[note](t, d, "places", placeFields...)
}

func mustCreate(t *testing.T, c *db.Collection[note], id, text string, m db.Metadata) db.Record[note] {
	t.Helper()
	r, err := c.Create(t.Context(), id, note{Text: text}, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantRecord(t *testing.T, c *db.Collection[note], want db.Record[note]) {
	t.Helper()
	got, err := c.Read(t.Context(), want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v; want %+v", got, err, want)
	}
}

func dbCreateRead(t *testing.T, d *db.DB) {
	c := places(t, d)
	value := note{Text: "<a> & ü\x00\u2028", Tags: map[string]string{"k": "v"}}
	before := time.Now().Add(-time.Second)
	r, err := c.Create(t.Context(), "a", value, db.Metadata{"name": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != "a" || r.Version != 1 || !r.Created.Equal(r.Updated) || r.Created.Before(before) || r.Created.After(time.Now()) {
		t.Errorf("created %+v", r)
	}
	if !reflect.DeepEqual(r.Value, value) {
		t.Errorf("value %+v", r.Value)
	}
	wantRecord(t, c, r)
	if _, err := c.Create(t.Context(), "a", note{}, nil); !isConflict(err, "a", 0, 1) || errors.Is(err, db.ErrNotFound) {
		t.Errorf("created again: %v", err)
	}
	wantRecord(t, c, r)
	if _, err := c.Read(t.Context(), "b"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("an absent record: %v", err)
	}
	wantRecord(t, c, mustCreate(t, c, "~!@/:%'\"\\", "every visible character", nil))
}

func isConflict(err error, id string, expected, actual int64) bool {
	var c *db.ConflictError
	return errors.As(err, &c) && c.ID == id && c.Expected == expected && c.Actual == actual
}

func dbMetadata(t *testing.T, d *db.DB) {
	c := places(t, d)
	since := time.Date(2026, 2, 3, 4, 5, 6, 123456789, time.FixedZone("", 3600))
	type named string
	for i, pair := range []struct{ in, out db.Metadata }{
		{nil, db.Metadata{}},
		{db.Metadata{"name": ""}, db.Metadata{"name": ""}},
		{db.Metadata{"name": named("é%_*'\"\n")}, db.Metadata{"name": "é%_*'\"\n"}},
		{db.Metadata{"level": math.MaxInt64}, db.Metadata{"level": int64(math.MaxInt64)}},
		{db.Metadata{"level": int8(-1)}, db.Metadata{"level": int64(-1)}},
		{db.Metadata{"level": int64(math.MinInt64)}, db.Metadata{"level": int64(math.MinInt64)}},
		{db.Metadata{"level": uint64(7)}, db.Metadata{"level": int64(7)}},
		{db.Metadata{"price": 0.1}, db.Metadata{"price": 0.1}},
		{db.Metadata{"price": 3}, db.Metadata{"price": 3.0}},
		{db.Metadata{"price": math.MaxFloat64}, db.Metadata{"price": math.MaxFloat64}},
		{db.Metadata{"price": math.SmallestNonzeroFloat64}, db.Metadata{"price": math.SmallestNonzeroFloat64}},
		{db.Metadata{"price": math.Copysign(0, -1)}, db.Metadata{"price": 0.0}},
		{db.Metadata{"open": false}, db.Metadata{"open": false}},
		{db.Metadata{"open": true}, db.Metadata{"open": true}},
		{db.Metadata{"since": since}, db.Metadata{"since": since.UTC().Truncate(time.Microsecond)}},
		{db.Metadata{"since": time.Time{}}, db.Metadata{"since": time.Time{}}},
	} {
		r := mustCreate(t, c, strconv.Itoa(i), "", pair.in)
		if !reflect.DeepEqual(r.Metadata, pair.out) {
			t.Errorf("wrote %v, returned %v, want %v", pair.in, r.Metadata, pair.out)
		}
		wantRecord(t, c, r)
	}
}

func dbUpdate(t *testing.T, d *db.DB) {
	c := places(t, d)
	first := mustCreate(t, c, "a", "1", db.Metadata{"name": "x", "level": 1})
	second, err := c.Update(t.Context(), "a", 1, note{Text: "2"}, db.Metadata{"level": 2})
	if err != nil {
		t.Fatal(err)
	}
	if second.Version != 2 || !second.Created.Equal(first.Created) || second.Updated.Before(first.Updated) ||
		second.Value.Text != "2" || !maps.Equal(second.Metadata, db.Metadata{"level": int64(2)}) {
		t.Errorf("updated %+v to %+v", first, second)
	}
	wantRecord(t, c, second)
	for _, version := range []int64{1, 3} {
		if _, err := c.Update(t.Context(), "a", version, note{}, nil); !isConflict(err, "a", version, 2) {
			t.Errorf("updated version %d: %v", version, err)
		}
	}
	wantRecord(t, c, second)
	if _, err := c.Update(t.Context(), "b", 1, note{}, nil); !isConflict(err, "b", 1, 0) || !errors.Is(err, db.ErrNotFound) {
		t.Errorf("updated an absent record: %v", err)
	}
	wantIDs(t, c, db.Query{Where: []db.Condition{db.Equal("name", "x")}}, "")
	wantIDs(t, c, db.Query{Where: []db.Condition{db.Equal("level", 2)}}, "a")
}

func dbDelete(t *testing.T, d *db.DB) {
	c := places(t, d)
	r := mustCreate(t, c, "a", "1", db.Metadata{"name": "x"})
	if err := c.Delete(t.Context(), "a", 2); !isConflict(err, "a", 2, 1) {
		t.Errorf("deleted another version: %v", err)
	}
	wantRecord(t, c, r)
	if err := c.Delete(t.Context(), "a", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(t.Context(), "a"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("read after the delete: %v", err)
	}
	if err := c.Delete(t.Context(), "a", 1); !isConflict(err, "a", 1, 0) || !errors.Is(err, db.ErrNotFound) {
		t.Errorf("deleted again: %v", err)
	}
	wantIDs(t, c, db.Query{Where: []db.Condition{db.Equal("name", "x")}}, "")
	wantRecord(t, c, mustCreate(t, c, "a", "again", nil))
}

func dbMadeIDs(t *testing.T, d *db.DB) {
	c := places(t, d)
	var made []string
	for range 50 {
		made = append(made, mustCreate(t, c, "", "", nil).ID)
	}
	if !slices.IsSorted(made) || len(slices.Compact(slices.Clone(made))) != len(made) || len(made[0]) != 36 {
		t.Errorf("made %v", made)
	}
	wantIDs(t, c, db.Query{}, strings.Join(made, " "))
}

func dbApart(t *testing.T, d *db.DB) {
	a, b := mustOf[note](t, d, "a", db.String("b_c")), mustOf[note](t, d, "a_b", db.Int("c"))
	one := mustCreate(t, a, "x", "of a", db.Metadata{"b_c": "1"})
	two := mustCreate(t, b, "x", "of b", db.Metadata{"c": 1})
	wantRecord(t, a, one)
	wantRecord(t, b, two)
	wantIDs(t, b, db.Query{Where: []db.Condition{db.Equal("c", 1)}}, "x")
	if err := a.Delete(t.Context(), "x", 1); err != nil {
		t.Fatal(err)
	}
	wantRecord(t, b, two)
}

func dbCommit(t *testing.T, d *db.DB) {
	type event struct{ Of string }
	orders, outbox := places(t, d), mustOf[event](t, d, "outbox")
	kept := mustCreate(t, orders, "kept", "1", nil)
	gone := mustCreate(t, orders, "gone", "1", nil)

	order := orders.Creating("", note{Text: "new"}, db.Metadata{"name": "n"})
	told := outbox.Creating("", event{Of: order.ID()}, nil)
	writes := []db.Write{order, told, orders.Updating("kept", 1, note{Text: "2"}, nil), orders.Deleting("gone", 1)}
	for _, wrong := range []db.Write{orders.Updating("absent", 1, note{}, nil), orders.Expecting("absent", 3)} {
		var conflict *db.ConflictError
		if err := d.Commit(t.Context(), append(slices.Clone(writes), wrong)...); !errors.As(err, &conflict) || conflict.ID != "absent" {
			t.Errorf("a commit with a conflict: %v", err)
		}
	}
	// Of two conflicts the first is told.
	err := d.Commit(t.Context(), order, orders.Deleting("kept", 7), orders.Deleting("gone", 8))
	if !isConflict(err, "kept", 7, 1) {
		t.Errorf("of two conflicts: %v", err)
	}
	wantRecord(t, orders, kept)
	wantRecord(t, orders, gone)
	wantIDs(t, orders, db.Query{}, "gone kept")
	if p, err := outbox.Search(t.Context(), db.Query{}); err != nil || len(p.Records) != 0 {
		t.Errorf("after refused commits the outbox has %+v, %v", p, err)
	}

	if err := d.Commit(t.Context(), writes...); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, orders, db.Query{}, order.ID()+" kept")
	if e, err := outbox.Read(t.Context(), told.ID()); err != nil || e.Value.Of != order.ID() || e.Version != 1 {
		t.Errorf("the outbox has %+v, %v", e, err)
	}
	if r, err := orders.Read(t.Context(), "kept"); err != nil || r.Version != 2 || r.Value.Text != "2" {
		t.Errorf("updated: %+v, %v", r, err)
	}
	if err := d.Commit(t.Context()); err != nil {
		t.Errorf("a commit of nothing: %v", err)
	}
}

func dbExpect(t *testing.T, d *db.DB) {
	c := places(t, d)
	r := mustCreate(t, c, "a", "1", db.Metadata{"name": "x"})
	if err := d.Commit(t.Context(), c.Expecting("a", 1), c.Creating("b", note{}, nil)); err != nil {
		t.Fatal(err)
	}
	wantRecord(t, c, r)
	wantIDs(t, c, db.Query{}, "a b")
	if err := d.Commit(t.Context(), c.Creating("c", note{}, nil), c.Expecting("a", 2)); !isConflict(err, "a", 2, 1) {
		t.Errorf("another version was expected: %v", err)
	}
	wantIDs(t, c, db.Query{}, "a b")
}

func dbConcurrent(t *testing.T, d *db.DB) {
	const writers, each = 4, 20
	c := places(t, d)
	mustCreate(t, c, "n", "", db.Metadata{"level": 0})
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < each; {
				r, err := c.Read(t.Context(), "n")
				if err != nil {
					t.Error(err)
					return
				}
				if r.Version != r.Metadata["level"].(int64)+1 {
					t.Errorf("version %d with level %v: not of one write", r.Version, r.Metadata["level"])
				}
				_, err = c.Update(t.Context(), "n", r.Version, r.Value, db.Metadata{"level": r.Version})
				var conflict *db.ConflictError
				switch {
				case err == nil:
					done++
				case !errors.As(err, &conflict):
					t.Error(err)
					return
				}
				if _, err := c.Search(t.Context(), db.Query{Where: []db.Condition{db.AtLeast("level", 0)}}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if r, err := c.Read(t.Context(), "n"); err != nil || r.Version != writers*each+1 {
		t.Errorf("%+v, %v after %d updates", r, err, writers*each)
	}
}

func wantIDs(t *testing.T, c *db.Collection[note], q db.Query, want string) {
	t.Helper()
	p, err := c.Search(t.Context(), q)
	if err != nil {
		t.Errorf("%+v: %v", q, err)
		return
	}
	if got := idsOf(p.Records); got != want {
		t.Errorf("%+v selects %q, want %q", q, got, want)
	}
}

func idsOf(records []db.Record[note]) string {
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return strings.Join(ids, " ")
}

func dbConditions(t *testing.T, d *db.DB) {
	c := places(t, d)
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	for id, m := range map[string]db.Metadata{
		"a1": {"name": "ant", "level": -1, "price": 1.5, "open": true, "since": day(1)},
		"a2": {"name": "anteater", "level": 0, "price": -2.5, "open": false, "since": day(2)},
		"b1": {"name": "Ant", "level": 10, "price": 1e300, "open": true, "since": day(3)},
		"b2": {"name": "an%t_\U0010ffff!", "level": 9, "price": 0.0, "since": day(4)},
		"c1": {"name": "", "price": 1.5},
		"c2": nil,
	} {
		mustCreate(t, c, id, "", m)
	}
	for name, q := range map[string]struct {
		where []db.Condition
		want  string
	}{
		"no condition":              {nil, "a1 a2 b1 b2 c1 c2"},
		"equal string":              {[]db.Condition{db.Equal("name", "ant")}, "a1"},
		"equal empty string":        {[]db.Condition{db.Equal("name", "")}, "c1"},
		"equal int":                 {[]db.Condition{db.Equal("level", 10)}, "b1"},
		"equal float":               {[]db.Condition{db.Equal("price", 1.5)}, "a1 c1"},
		"equal negative zero":       {[]db.Condition{db.Equal("price", math.Copysign(0, -1))}, "b2"},
		"equal true":                {[]db.Condition{db.Equal("open", true)}, "a1 b1"},
		"equal false, not absent":   {[]db.Condition{db.Equal("open", false)}, "a2"},
		"equal time":                {[]db.Condition{db.Equal("since", day(3).In(time.FixedZone("", -7200)))}, "b1"},
		"equal id":                  {[]db.Condition{db.Equal("id", "c2")}, "c2"},
		"less, not as text":         {[]db.Condition{db.Less("level", 10)}, "a1 a2 b2"},
		"at most":                   {[]db.Condition{db.AtMost("level", 9)}, "a1 a2 b2"},
		"greater":                   {[]db.Condition{db.Greater("level", 9)}, "b1"},
		"at least":                  {[]db.Condition{db.AtLeast("level", 9)}, "b1 b2"},
		"less of floats":            {[]db.Condition{db.Less("price", 0)}, "a2"},
		"greater of strings":        {[]db.Condition{db.Greater("name", "ant")}, "a2"},
		"less of strings, by bytes": {[]db.Condition{db.Less("name", "a")}, "b1 c1"},
		"a range":                   {[]db.Condition{db.AtLeast("since", day(2)), db.Less("since", day(4))}, "a2 b1"},
		"an empty range":            {[]db.Condition{db.Greater("level", 5), db.Less("level", 5)}, ""},
		"in":                        {[]db.Condition{db.In("level", 9, 10, 11, 9)}, "b1 b2"},
		"in of ids":                 {[]db.Condition{db.In("id", "c2", "a1", "z")}, "a1 c2"},
		"prefix":                    {[]db.Condition{db.Prefix("name", "ant")}, "a1 a2"},
		"prefix is no pattern":      {[]db.Condition{db.Prefix("name", "an%")}, "b2"},
		"prefix with the last rune": {[]db.Condition{db.Prefix("name", "an%t_\U0010ffff")}, "b2"},
		"prefix that nothing has":   {[]db.Condition{db.Prefix("name", "\U0010ffff")}, ""},
		"prefix of ids":             {[]db.Condition{db.Prefix("id", "b")}, "b1 b2"},
		"all must hold":             {[]db.Condition{db.Prefix("name", "an"), db.AtLeast("price", 0), db.Equal("open", true)}, "a1"},
		"the absent is never less":  {[]db.Condition{db.Less("since", day(9)), db.Less("level", 100)}, "a1 a2 b1 b2"},
	} {
		t.Run(name, func(t *testing.T) { wantIDs(t, c, db.Query{Where: q.where}, q.want) })
	}
	// No character lies between these two, but the numbers of the surrogates do.
	edges := mustOf[note](t, d, "edges", db.String("name"))
	mustCreate(t, edges, "in", "", db.Metadata{"name": "\ud7ffx"})
	mustCreate(t, edges, "out", "", db.Metadata{"name": "\ue000"})
	wantIDs(t, edges, db.Query{Where: []db.Condition{db.Prefix("name", "\ud7ff")}}, "in")
}

func dbOrder(t *testing.T, d *db.DB) {
	c := places(t, d)
	for id, m := range map[string]db.Metadata{
		"a": {"name": "z", "level": 10, "price": 2.0, "open": true},
		"b": {"name": "B", "level": 9, "price": -1.0, "open": false},
		"c": {"name": "b", "level": 9, "price": 2.0, "open": true},
		"d": {"level": -100},
	} {
		mustCreate(t, c, id, "", m)
	}
	for _, q := range []struct {
		query db.Query
		want  string
	}{
		{db.Query{}, "a b c d"},
		{db.Query{Order: "id"}, "a b c d"},
		{db.Query{Descending: true}, "d c b a"},
		{db.Query{Order: "name"}, "b c a"},
		{db.Query{Order: "name", Descending: true}, "a c b"},
		{db.Query{Order: "level"}, "d b c a"},
		{db.Query{Order: "level", Descending: true}, "a c b d"},
		{db.Query{Order: "price"}, "b a c"},
		{db.Query{Order: "price", Descending: true}, "c a b"},
		{db.Query{Order: "open"}, "b a c"},
		{db.Query{Order: "since"}, ""},
		{db.Query{Order: "price", Where: []db.Condition{db.Equal("level", 9)}}, "b c"},
		{db.Query{Order: "level", Where: []db.Condition{db.Greater("price", 0)}, Limit: 1}, "c"},
	} {
		wantIDs(t, c, q.query, q.want)
	}
}

// pages returns all that a query selects, and the number of its pages.
func pages(t *testing.T, c *db.Collection[note], q db.Query) (all []db.Record[note], n int) {
	t.Helper()
	for {
		p, err := c.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		n++
		all = append(all, p.Records...)
		if q.Cursor = p.Cursor; q.Cursor == "" {
			return all, n
		}
	}
}

func dbPages(t *testing.T, d *db.DB) {
	c := places(t, d)
	for i := range 25 {
		n := (i * 7) % 25
		mustCreate(t, c, fmt.Sprintf("%02d", n), "", db.Metadata{
			"name": strconv.Itoa(n % 3), "level": n % 4, "price": float64(n%5) / 2, "open": n%2 == 0,
			"since": time.Unix(int64(n%6), 0),
		})
	}
	for _, order := range []string{"id", "name", "level", "price", "open", "since"} {
		for _, descending := range []bool{false, true} {
			q := db.Query{Order: order, Descending: descending, Where: []db.Condition{db.AtLeast("level", 0)}}
			whole, _ := pages(t, c, q)
			q.Limit = 10
			parts, n := pages(t, c, q)
			if len(whole) != 25 || idsOf(parts) != idsOf(whole) || n != 3 {
				t.Errorf("by %s, descending %v: %s in %d pages, %s in one", order, descending, idsOf(parts), n, idsOf(whole))
			}
		}
	}
	if all, n := pages(t, c, db.Query{Limit: 25}); len(all) != 25 || n != 1 {
		t.Errorf("a page that takes all: %d records in %d pages", len(all), n)
	}
}

func dbStablePages(t *testing.T, d *db.DB) {
	c := places(t, d)
	for i := range 6 {
		mustCreate(t, c, fmt.Sprintf("r%d", i), "", db.Metadata{"level": 10 * i})
	}
	q := db.Query{Order: "level", Limit: 3}
	p, err := c.Search(t.Context(), q)
	if err != nil || idsOf(p.Records) != "r0 r1 r2" {
		t.Fatalf("the first page: %v, %v", idsOf(p.Records), err)
	}
	mustCreate(t, c, "early", "", db.Metadata{"level": 5})
	mustCreate(t, c, "late", "", db.Metadata{"level": 35})
	for _, id := range []string{"r0", "r2", "r4"} { // the last of the page among them
		if err := c.Delete(t.Context(), id, 1); err != nil {
			t.Fatal(err)
		}
	}
	q.Cursor, q.Limit = p.Cursor, 10 // the limit may change
	wantIDs(t, c, q, "r3 late r5")
}

func dbLargePage(t *testing.T, d *db.DB) {
	c := places(t, d)
	large := strings.Repeat("x", db.MaxBody-100)
	const records = 20
	for i := range records {
		mustCreate(t, c, fmt.Sprintf("%02d", i), large, nil)
	}
	p, err := c.Search(t.Context(), db.Query{})
	if err != nil || len(p.Records) != db.MaxPageBytes/db.MaxBody || p.Cursor == "" {
		t.Errorf("a page of large records has %d, cursor %q, %v", len(p.Records), p.Cursor, err)
	}
	if all, n := pages(t, c, db.Query{}); len(all) != records || n != 3 {
		t.Errorf("%d of %d records in %d pages", len(all), records, n)
	}
}

func dbCursor(t *testing.T, d *db.DB) {
	c := places(t, d)
	other := mustOf[note](t, d, "others", placeFields...)
	for i := range 3 {
		mustCreate(t, c, strconv.Itoa(i), "", db.Metadata{"level": i, "name": "x"})
	}
	q := db.Query{Order: "level", Limit: 1, Where: []db.Condition{db.Equal("name", "x")}}
	p, err := c.Search(t.Context(), q)
	if err != nil || p.Cursor == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	q.Cursor = p.Cursor
	wantIDs(t, c, q, "1")

	refused := func(name string, c *db.Collection[note], q db.Query) {
		_, err := c.Search(t.Context(), q)
		wantInput(t, name, err, "cursor", 0)
	}
	change := func(f func(*db.Query)) db.Query {
		changed := q
		changed.Where = slices.Clone(q.Where)
		f(&changed)
		return changed
	}
	refused("of another collection", other, q)
	refused("with another order", c, change(func(q *db.Query) { q.Order = "price" }))
	refused("with another direction", c, change(func(q *db.Query) { q.Descending = true }))
	refused("with another value", c, change(func(q *db.Query) { q.Where[0] = db.Equal("name", "y") }))
	refused("with another operator", c, change(func(q *db.Query) { q.Where[0] = db.Prefix("name", "x") }))
	refused("without its condition", c, change(func(q *db.Query) { q.Where = nil }))
	for _, cursor := range []string{"x", "====", p.Cursor + "A", p.Cursor[:len(p.Cursor)-4], p.Cursor[4:], "AAAAAAAAAAAAAAAAAAAA", "\x00"} {
		refused(fmt.Sprintf("%q", cursor), c, change(func(q *db.Query) { q.Cursor = cursor }))
	}
}

// wantInput wants an error that names the field and the limit, 0 for none.
func wantInput(t *testing.T, name string, err error, field string, limit int) {
	t.Helper()
	var e *db.InputError
	if !errors.As(err, &e) || e.Field != field || e.Limit != limit {
		t.Errorf("%s: got %v, want an InputError of %q with limit %d", name, err, field, limit)
		return
	}
	if limit > 1 && !strings.Contains(e.Error(), strconv.Itoa(limit)) || !strings.Contains(e.Error(), field) {
		t.Errorf("%s: %v does not say %s or %d", name, e, field, limit)
	}
}

func dbFields(t *testing.T, d *db.DB) {
	of := func(name string, fields ...db.Field) error {
		_, err := db.Of[note](t.Context(), d, name, fields...)
		return err
	}
	many := make([]db.Field, db.MaxFields+1)
	for i := range many {
		many[i] = db.Int(fmt.Sprintf("f%d", i))
	}
	if err := errors.Join(of("full", many[:db.MaxFields]...), of(strings.Repeat("n", db.MaxName), db.Int("order"), db.Int("select"))); err != nil {
		t.Errorf("what is at the limit: %v", err)
	}
	wantInput(t, "no name", of(""), "collection", 0)
	wantInput(t, "a long name", of(strings.Repeat("n", db.MaxName+1)), "collection", db.MaxName)
	for _, name := range []string{"A", "1a", "_a", "a-b", "a b", `a"b`, "a;b", "ä"} {
		wantInput(t, name, of(name), "collection", 0)
		wantInput(t, name, of("ok", db.Int(name)), "fields", 0)
	}
	wantInput(t, "many fields", of("ok", many...), "fields", db.MaxFields)
	wantInput(t, "a field without a name", of("ok", db.Int("")), "fields", 0)
	wantInput(t, "a long field", of("ok", db.Int(strings.Repeat("n", db.MaxName+1))), "fields", db.MaxName)
	wantInput(t, "id", of("ok", db.String("id")), "fields.id", 0)
	wantInput(t, "twice", of("ok", db.Int("a"), db.Int("a")), "fields.a", 0)
	wantInput(t, "no type", of("ok", db.Field{Name: "a"}), "fields.a", 0)
	wantInput(t, "an unknown type", of("ok", db.Field{Name: "a", Type: 99}), "fields.a", 0)

	if err := errors.Join(of("ok", db.Int("a"), db.Bool("b")), of("ok", db.Bool("b"), db.Int("a"))); err != nil {
		t.Errorf("the same fields in another order: %v", err)
	}
	wantInput(t, "other fields", of("ok", db.Int("a")), "fields", 0)
	wantInput(t, "another type", of("ok", db.Int("a"), db.Int("b")), "fields", 0)
}

func dbInput(t *testing.T, d *db.DB) {
	c := places(t, d)
	ctx := t.Context()
	create := func(id string, m db.Metadata) error {
		_, err := c.Create(ctx, id, note{}, m)
		return err
	}
	for name, id := range map[string]string{"a space": "a b", "a control": "a\nb", "a letter beyond ASCII": "ä", "no UTF-8": "\xff", "a zero": "\x00"} {
		_, readErr := c.Read(ctx, id)
		_, updateErr := c.Update(ctx, id, 1, note{}, nil)
		for call, err := range map[string]error{
			"create": create(id, nil), "read": readErr, "update": updateErr, "delete": c.Delete(ctx, id, 1),
			"commit": d.Commit(ctx, c.Expecting(id, 1)),
		} {
			wantInput(t, call+" with "+name, err, "id", 0)
		}
	}
	_, err := c.Read(ctx, "")
	wantInput(t, "read without an id", err, "id", 0)
	wantInput(t, "delete without an id", c.Delete(ctx, "", 1), "id", 0)
	for _, version := range []int64{0, -1} {
		_, err := c.Update(ctx, "a", version, note{}, nil)
		wantInput(t, "update of no version", err, "version", 1)
		wantInput(t, "delete of no version", c.Delete(ctx, "a", version), "version", 1)
	}
	wantInput(t, "an unknown field", create("a", db.Metadata{"colour": "red"}), "metadata", 0)
	wantInput(t, "the id as a field", create("a", db.Metadata{"id": "a"}), "metadata", 0)
	for name, m := range map[string]db.Metadata{
		"nil":                     {"name": nil},
		"an int for a string":     {"name": 1},
		"bytes for a string":      {"name": []byte("x")},
		"a string with a zero":    {"name": "a\x00"},
		"a string that is not":    {"name": "\xff"},
		"a string for an int":     {"level": "1"},
		"a float for an int":      {"level": 1.0},
		"an int that is too big":  {"level": uint64(math.MaxUint64)},
		"a bool for an int":       {"level": true},
		"NaN":                     {"price": math.NaN()},
		"infinity":                {"price": math.Inf(-1)},
		"an int that is not even": {"price": 1<<53 + 1},
		"an int for a bool":       {"open": 1},
		"a string for a time":     {"since": "2026-01-01"},
		"a time too early":        {"since": time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
		"a time too late":         {"since": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"a pointer":               {"name": new(string)},
	} {
		for field := range m {
			wantInput(t, name, create("a", m), "metadata."+field, 0)
		}
	}
	search := func(q db.Query) error {
		_, err := c.Search(ctx, q)
		return err
	}
	where := func(c db.Condition) error { return search(db.Query{Where: []db.Condition{c}}) }
	wantInput(t, "a negative limit", search(db.Query{Limit: -1}), "limit", 1)
	wantInput(t, "an unknown order", search(db.Query{Order: "colour"}), "order", 0)
	wantInput(t, "an order that is SQL", search(db.Query{Order: "id; DROP TABLE c_places"}), "order", 0)
	wantInput(t, "a condition on an unknown field", where(db.Equal("colour", 1)), "where", 0)
	wantInput(t, "a condition on no field", where(db.Equal("", 1)), "where", 0)
	wantInput(t, "another type", where(db.Equal("level", "1")), "where.level", 0)
	wantInput(t, "another type in in", where(db.In("level", 1, "2")), "where.level", 0)
	wantInput(t, "no value", where(db.In("level")), "where.level", 0)
	wantInput(t, "no operator", where(db.Condition{Field: "level", Values: []any{1}}), "where.level", 0)
	wantInput(t, "two values for one", where(db.Condition{Field: "level", Op: db.OpLess, Values: []any{1, 2}}), "where.level", 1)
	wantInput(t, "a prefix of a number", where(db.Prefix("level", "1")), "where.level", 0)
	wantInput(t, "an empty prefix", where(db.Prefix("name", "")), "where.name", 0)
	wantInput(t, "a bool that is less", where(db.Less("open", true)), "where.open", 0)

	never := mustOf[func()](t, d, "functions")
	_, err = never.Create(ctx, "a", func() {}, nil)
	wantInput(t, "a value that is no JSON", err, "body", 0)

	another := db.Memory()
	defer another.Close() //nolint:errcheck // nothing is in it
	wantInput(t, "a write of another database", d.Commit(ctx, mustOf[note](t, another, "places").Creating("a", note{}, nil)), "writes", 0)
	wantInput(t, "a write that nobody made", d.Commit(ctx, db.Write{}), "writes", 0)
	wantInput(t, "a record twice", d.Commit(ctx, c.Creating("a", note{}, nil), c.Deleting("a", 1)), "writes", 0)
	wantIDs(t, c, db.Query{}, "")
}

func dbLimits(t *testing.T, d *db.DB) {
	c := places(t, d)
	ctx := t.Context()
	create := func(id string, size int, m db.Metadata) error {
		_, err := c.Create(ctx, id, note{Text: strings.Repeat("<", size)}, m)
		return err
	}
	const around = len(`{"text":""}`)
	longest := strings.Repeat("i", db.MaxID)
	if err := errors.Join(
		create(longest, db.MaxBody-around, db.Metadata{"name": strings.Repeat("\x01", db.MaxString)}),
		create(longest[1:]+"j", 0, db.Metadata{"name": strings.Repeat("\x02", db.MaxString)}),
	); err != nil {
		t.Errorf("what is at the limit: %v", err)
	}
	// The longest cursor there can be is not too long.
	if all, n := pages(t, c, db.Query{Order: "name", Limit: 1}); len(all) != 2 || n != 2 {
		t.Errorf("%d records in %d pages", len(all), n)
	}
	wantInput(t, "a long id", create(longest+"i", 0, nil), "id", db.MaxID)
	wantInput(t, "a long body", create("b", db.MaxBody-around+1, nil), "body", db.MaxBody)
	wantInput(t, "a long string", create("b", 0, db.Metadata{"name": strings.Repeat("n", db.MaxString+1)}), "metadata.name", db.MaxString)
	tooMany := db.Metadata{}
	for i := range db.MaxFields + 1 {
		tooMany[strconv.Itoa(i)] = 1
	}
	wantInput(t, "many fields", create("b", 0, tooMany), "metadata", db.MaxFields)

	search := func(q db.Query) error {
		_, err := c.Search(ctx, q)
		return err
	}
	conditions := slices.Repeat([]db.Condition{db.Equal("level", 1)}, db.MaxConditions+1)
	values := slices.Repeat([]any{1}, db.MaxIn+1)
	if err := errors.Join(search(db.Query{Limit: db.MaxLimit}), search(db.Query{Where: conditions[1:]}),
		search(db.Query{Where: []db.Condition{db.In("level", values[1:]...)}})); err != nil {
		t.Errorf("what is at the limit: %v", err)
	}
	wantInput(t, "a large page", search(db.Query{Limit: db.MaxLimit + 1}), "limit", db.MaxLimit)
	wantInput(t, "many conditions", search(db.Query{Where: conditions}), "where", db.MaxConditions)
	wantInput(t, "many values", search(db.Query{Where: []db.Condition{db.In("level", values...)}}), "where.level", db.MaxIn)
	wantInput(t, "a long value", search(db.Query{Where: []db.Condition{db.Equal("name", strings.Repeat("n", db.MaxString+1))}}), "where.name", db.MaxString)
	wantInput(t, "a long cursor", search(db.Query{Cursor: strings.Repeat("A", db.MaxCursor+1)}), "cursor", db.MaxCursor)

	var writes []db.Write
	for i := range db.MaxCommitWrites + 1 {
		writes = append(writes, c.Creating(fmt.Sprintf("w%d", i), note{}, nil))
	}
	wantInput(t, "many writes", d.Commit(ctx, writes...), "writes", db.MaxCommitWrites)
	if err := d.Commit(ctx, writes[1:]...); err != nil {
		t.Errorf("the largest commit: %v", err)
	}
	var large []db.Write
	for i := range db.MaxCommitBytes/db.MaxBody + 1 {
		large = append(large, c.Creating(fmt.Sprintf("l%d", i), note{Text: strings.Repeat("x", db.MaxBody-around)}, nil))
	}
	wantInput(t, "large writes", d.Commit(ctx, large...), "writes", db.MaxCommitBytes)
}

func dbContext(t *testing.T, d *db.DB) {
	c := places(t, d)
	mustCreate(t, c, "a", "1", nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithTimeout(t.Context(), -time.Second)
	defer cancelLate()
	for want, ctx := range map[error]context.Context{context.Canceled: ended, context.DeadlineExceeded: late} {
		_, createErr := c.Create(ctx, "b", note{}, nil)
		_, readErr := c.Read(ctx, "a")
		_, updateErr := c.Update(ctx, "a", 1, note{}, nil)
		_, searchErr := c.Search(ctx, db.Query{})
		_, ofErr := db.Of[note](ctx, d, "another")
		for call, err := range map[string]error{
			"Create": createErr, "Read": readErr, "Update": updateErr, "Delete": c.Delete(ctx, "a", 1),
			"Search": searchErr, "Of": ofErr, "Commit": d.Commit(ctx, c.Deleting("a", 1)),
		} {
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", call, err, want)
			}
		}
	}
	wantIDs(t, c, db.Query{}, "a")
	if r, err := c.Read(t.Context(), "a"); err != nil || r.Version != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func dbDecode(t *testing.T, d *db.DB) {
	c := places(t, d)
	mustCreate(t, c, "a", "text", nil)
	other := mustOf[struct{ Text int }](t, d, "places", placeFields...)
	_, readErr := other.Read(t.Context(), "a")
	_, searchErr := other.Search(t.Context(), db.Query{})
	for _, err := range []error{readErr, searchErr} {
		var e *db.DecodeError
		if !errors.As(err, &e) || e.Collection != "places" || e.ID != "a" {
			t.Errorf("got %v", err)
		}
	}
}

func dbClose(t *testing.T, d *db.DB) {
	c := places(t, d)
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, createErr := c.Create(ctx, "b", note{}, nil)
	_, readErr := c.Read(ctx, "a")
	_, searchErr := c.Search(ctx, db.Query{})
	_, ofErr := db.Of[note](ctx, d, "another")
	for call, err := range map[string]error{
		"Create": createErr, "Read": readErr, "Delete": c.Delete(ctx, "a", 1), "Search": searchErr, "Of": ofErr,
		"Commit": d.Commit(ctx),
	} {
		if !errors.Is(err, db.ErrClosed) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

func dbCloseWaits(t *testing.T, d *db.DB) {
	c := places(t, d)
	var wg sync.WaitGroup
	running := make(chan struct{}, 4)
	for range cap(running) {
		wg.Go(func() {
			for said := false; ; {
				_, writeErr := c.Create(t.Context(), "", note{}, nil)
				_, readErr := c.Search(t.Context(), db.Query{Limit: 10})
				for _, err := range []error{writeErr, readErr} {
					if err != nil && !errors.Is(err, db.ErrClosed) {
						t.Errorf("a call beside Close: %v", err)
					}
				}
				if !said {
					said = true
					running <- struct{}{}
				}
				if writeErr != nil || readErr != nil {
					return
				}
			}
		})
	}
	for range cap(running) {
		<-running
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}
