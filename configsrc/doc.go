// SPDX-License-Identifier: Apache-2.0

// Package configsrc gives a program typed configuration that changes while it
// runs, from defaults, files, environment variables and documents in etcd.
//
//	live, err := configsrc.Open(ctx, Settings{Timeout: time.Second},
//		configsrc.File("service.yaml"),
//		configsrc.Env("ORDERS_"),
//		configsrc.Document(client, "orders"))
//	...
//	timeout := live.Get().Timeout // lock-free, for every request
//
// # Layers
//
// Each layer sets some of the fields, a later one before an earlier one; what no
// layer sets keeps its default. Structs merge field by field; a list or a map of a
// later layer replaces the whole. A field is named by its `config` tag, or by its
// own name without regard to case; `config:"-"` leaves it out. Files and documents
// are YAML, so JSON too. Durations are written "1.5s".
//
// # What it guarantees
//
//   - All or nothing: a layer with an unknown field, a value of the wrong type or
//     one that the type's Validate method refuses changes nothing. The last good
//     configuration stays, [Live.Err] names layer and field, and an event says so.
//     Values never appear in errors or events: they may be secrets.
//   - Readers see whole configurations; what Get returned never changes.
//   - A deleted document is a change: its fields fall back to the layers below. A
//     file that vanishes is not; editors and mounts replace files that way.
//
// # What it does not
//
// It does not wait for etcd. Open fails on a bad file or environment, because a
// program should not start on them; a document that was not read yet, or is bad, is as
// if it were not there, until it can be read. [Live.WaitReady] waits for it.
//
// # Ownership
//
// Open starts one goroutine, a file one more and a document its mirror's; Close
// ends them. Sources of other kinds implement [Source] and run the suite in
// configtest.
package configsrc
