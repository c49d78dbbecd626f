// SPDX-License-Identifier: Apache-2.0

// Package db keeps a service's records: JSON documents with an id, a version and
// typed metadata by which they are found.
//
//	database, err := db.Open(ctx, "/var/lib/shop/shop.db")
//	...
//	defer database.Close()
//	orders, err := db.Of[Order](ctx, database, "orders", db.String("owner"), db.Float("total"))
//	...
//	placed, err := orders.Create(ctx, "", Order{...}, db.Metadata{"owner": "alice", "total": 12.5})
//	...
//	page, err := orders.Search(ctx, db.Query{
//		Where: []db.Condition{db.Equal("owner", "alice"), db.AtLeast("total", 10)},
//		Order: "total", Descending: true,
//	})
//
// # What it guarantees
//
// A write that was answered without an error is on the disk: it survives the end
// of the process at any instruction, and the loss of power for as far as the disk
// keeps what it was told to sync. A read that begins afterwards sees it.
//
// Each record has a version: 1 when it is created, one more with every update.
// [Collection.Update] and [Collection.Delete] say which version they have seen and
// change nothing, with a [*ConflictError], when another writer came first.
// [DB.Commit] applies several writes, of several collections, at once or not at
// all: a record and the outbox entry that tells others of it belong in one.
//
// [Collection.Search] reads one consistent state for each page. Its cursor holds
// the place of the last record and not a count, so records that are written or
// deleted between two pages neither repeat others nor hide them. Only a record
// whose own field of the order changes meanwhile can be met twice or not at all.
//
// # Fields
//
// What is searched by is declared: a [Field] has a name and a type, and an index.
// A record need not have all of them. A condition on a field, or an order by it,
// selects only records that have it. Strings are compared byte by byte, times are
// kept to the microsecond in UTC. The field "id" is always there, and is the order
// of a query that names none; ids that the package makes sort by the time of their
// making.
//
// A field that is declared later is absent from the records that are there; they
// get it when they are written again. A field keeps its type for ever. A process
// neither reads nor changes fields that it does not declare, so versions of a
// service with different fields can write to the same collection.
//
// # What it does not do
//
// No joins, no aggregates, no search inside the body: those need a database that
// is used as itself. A condition beside the one that the index serves is checked
// record by record. Created and Updated are for people: they come from the
// writer's clock, and nothing is decided by them.
//
// # SQLite
//
// [Open] keeps the records in one file of SQLite, compiled to Go, with a
// write-ahead log beside it (the files -wal and -shm belong to it). Of the writers
// one works at a time and each commit waits for the disk; readers do not wait for
// writers. Other processes of the machine may open the same file; a network file
// system is no place for it. A new file has mode 0600, a new directory 0700; those
// that are there keep theirs. Every collection is a table c_<name> with a column
// m_<field> for each field and an index over the column and the id, so that the
// file can be read with any tool of SQLite:
//
//	sqlite3 shop.db 'select id, m_owner, body from c_orders'
//
// A file that is damaged, of another application, or written by a newer version of
// this package is refused by name ([ErrCorrupt], [ErrForeign], [*SchemaError]) and
// left as it is.
//
// A [Backend] is where the records are: SQLite or memory ([Memory]), both under
// the suite coordtest.DB. All methods are safe for concurrent use. A write waits
// for its turn as long as its context allows, and for a lock of another process
// 5 seconds at most ([ErrBusy]). The package starts no goroutines but those of
// database/sql, which end with [DB.Close].
package db
