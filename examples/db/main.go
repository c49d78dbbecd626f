// SPDX-License-Identifier: Apache-2.0

// Command db keeps records: it creates them with the metadata that they are found by,
// updates one that somebody else has changed, pages through them, and writes a record
// and the news of it together or not at all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/otelplat/platform/coord/db"
)

type order struct {
	Items []string `json:"items"`
}

type news struct {
	What, Order string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("db", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "otelplat-db")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	database, err := db.Open(ctx, filepath.Join(folder, "shop.db")) // a test without a disk: db.Memory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()

	// What is searched by is declared; the rest of a record is the value, as JSON.
	orders, err := db.Of[order](ctx, database, "orders", db.String("owner"), db.Float("total"))
	if err != nil {
		return err
	}
	outbox, err := db.Of[news](ctx, database, "outbox")
	if err != nil {
		return err
	}
	for _, o := range []struct {
		id, owner string
		total     float64
	}{{"o-1", "ada", 12}, {"o-2", "bob", 99}, {"o-3", "ada", 45.5}, {"o-4", "ada", 3}} {
		if _, err := orders.Create(ctx, o.id, order{[]string{"book"}}, db.Metadata{"owner": o.owner, "total": o.total}); err != nil {
			return err
		}
	}

	// A search reads a page; its cursor is the place where the next one begins.
	query := db.Query{Where: []db.Condition{db.Equal("owner", "ada"), db.AtLeast("total", 5)}, Order: "total", Descending: true, Limit: 1}
	for more := true; more; more = query.Cursor != "" {
		page, err := orders.Search(ctx, query)
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			fmt.Fprintf(out, "%s of %s: %v\n", r.ID, r.Metadata["owner"], r.Metadata["total"])
		}
		query.Cursor = page.Cursor
	}

	// Two clerks have read version 1. The second to write is told.
	read, err := orders.Read(ctx, "o-1")
	if err != nil {
		return err
	}
	if _, err := orders.Update(ctx, "o-1", read.Version, order{[]string{"book", "pen"}}, read.Metadata); err != nil {
		return err
	}
	_, err = orders.Update(ctx, "o-1", read.Version, order{nil}, read.Metadata)
	conflict, ok := errors.AsType[*db.ConflictError](err)
	if !ok {
		return fmt.Errorf("an update of an old version: %w", err)
	}
	fmt.Fprintf(out, "%s is at version %d, not %d\n", conflict.ID, conflict.Actual, conflict.Expected)

	// The record and the news of it are one commit: neither is there without the other.
	placed := orders.Creating("", order{[]string{"lamp"}}, db.Metadata{"owner": "eve", "total": 20})
	if err := database.Commit(ctx, placed, outbox.Creating("", news{"placed", placed.ID()}, nil)); err != nil {
		return err
	}
	waiting, err := outbox.Search(ctx, db.Query{})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "news to tell: %d, of the order just placed: %t\n", len(waiting.Records), waiting.Records[0].Value.Order == placed.ID())
	return nil
}
