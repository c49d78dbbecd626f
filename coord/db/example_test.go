// SPDX-License-Identifier: Apache-2.0

package db_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/otelplat/platform/coord/db"
)

type Order struct {
	Item string `json:"item"`
}

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	database, err := db.Open(ctx, filepath.Join(dir, "shop.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer database.Close()
	orders, err := db.Of[Order](ctx, database, "orders", db.String("owner"), db.Float("total"))
	if err != nil {
		log.Fatal(err)
	}

	for item, total := range map[string]float64{"tea": 4.5, "pot": 30, "cup": 12} {
		if _, err := orders.Create(ctx, item, Order{item}, db.Metadata{"owner": "alice", "total": total}); err != nil {
			log.Fatal(err)
		}
	}
	page, err := orders.Search(ctx, db.Query{
		Where: []db.Condition{db.Equal("owner", "alice"), db.AtLeast("total", 10)},
		Order: "total", Descending: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range page.Records {
		fmt.Println(r.Value.Item, r.Metadata["total"])
	}

	// Of two who saw version 1 the second is told.
	_, first := orders.Update(ctx, "tea", 1, Order{"green tea"}, db.Metadata{"owner": "alice", "total": 5})
	_, second := orders.Update(ctx, "tea", 1, Order{"black tea"}, db.Metadata{"owner": "alice", "total": 4})
	var conflict *db.ConflictError
	fmt.Println(first, errors.As(second, &conflict), conflict.Actual)
	// Output:
	// pot 30
	// cup 12
	// <nil> true 2
}

// A record and the news of it are written together, so neither is there without
// the other.
func ExampleDB_Commit() {
	type Event struct{ Name, Order string }
	ctx := context.Background()
	database := db.Memory()
	defer database.Close()
	orders, err := db.Of[Order](ctx, database, "orders")
	if err != nil {
		log.Fatal(err)
	}
	outbox, err := db.Of[Event](ctx, database, "outbox")
	if err != nil {
		log.Fatal(err)
	}

	order := orders.Creating("", Order{"tea"}, nil)
	event := outbox.Creating("", Event{"order.placed", order.ID()}, nil)
	if err := database.Commit(ctx, order, event); err != nil {
		log.Fatal(err)
	}
	waiting, err := outbox.Search(ctx, db.Query{}) // in the order in which they were made
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range waiting.Records {
		fmt.Println(e.Value.Name, e.Value.Order == order.ID())
	}
	// Output: order.placed true
}
