// SPDX-License-Identifier: Apache-2.0

package db_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/otelplat/platform/coord/db"
)

// A search must not read a collection from end to end, nor sort what an index has
// sorted.
func TestSearchesUseTheIndexes(t *testing.T) {
	c := ordersOf(t, openAt(t, filepath.Join(t.TempDir(), "a.db")))
	for i := range 3 {
		if _, err := c.Create(t.Context(), fmt.Sprint(i), order{}, db.Metadata{"owner": "alice", "total": i, "shelf": i}); err != nil {
			t.Fatal(err)
		}
	}
	next := func(q db.Query) db.Query {
		q.Limit = 1
		p, err := c.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		q.Cursor = p.Cursor
		return q
	}
	byTotal := db.Query{Order: "total", Descending: true}
	for _, test := range []struct {
		name string
		q    db.Query
		plan string
	}{
		{"equality", db.Query{Where: []db.Condition{db.Equal("owner", "alice")}},
			"SEARCH c_orders USING INDEX orders.owner (m_owner=?)"},
		{"equality, the next page", next(db.Query{Where: []db.Condition{db.Equal("owner", "alice")}}),
			"SEARCH c_orders USING INDEX orders.owner (m_owner=? AND id>?)"},
		{"a range in its order", db.Query{Order: "total", Where: []db.Condition{db.AtLeast("total", 1), db.Less("total", 9)}},
			"SEARCH c_orders USING INDEX orders.total (m_total>? AND m_total<?)"},
		{"a prefix in its order", db.Query{Order: "owner", Where: []db.Condition{db.Prefix("owner", "al")}},
			"SEARCH c_orders USING INDEX orders.owner (m_owner>? AND m_owner<?)"},
		{"in, in its order", db.Query{Order: "shelf", Where: []db.Condition{db.In("shelf", 1, 2)}},
			"SEARCH c_orders USING INDEX orders.shelf (m_shelf=?)"},
		{"an order", byTotal, "SEARCH c_orders USING INDEX orders.total (m_total>?)"},
		{"an order, the next page", next(byTotal), "SEARCH c_orders USING INDEX orders.total (m_total>? AND (m_total,id)<(?,?))"},
		{"an id", db.Query{Where: []db.Condition{db.Equal("id", "1")}},
			"SEARCH c_orders USING INDEX sqlite_autoindex_c_orders_1 (id=?)"},
		{"all, the next page", next(db.Query{}), "SEARCH c_orders USING INDEX sqlite_autoindex_c_orders_1 (id>?)"},
		{"equality and another's range", db.Query{Where: []db.Condition{db.Equal("owner", "alice"), db.AtLeast("total", 1)}},
			"SEARCH c_orders USING INDEX orders.owner (m_owner=?)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan, err := db.Explain(t.Context(), c, test.q)
			if err != nil || plan != test.plan {
				t.Errorf("SQLite would %q, %v\nwant %q", plan, err, test.plan)
			}
		})
	}
}
