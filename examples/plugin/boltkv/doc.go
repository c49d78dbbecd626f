// SPDX-License-Identifier: Apache-2.0

// Package boltkv keeps the key-value store of coord/kv in one file of this machine, for
// a program that runs alone and has to find its keys again after a restart. It shows
// what it takes to plug a backend in: one type with the five methods of [kv.Backend],
// and a test that runs the suite coordtest.KV on it.
//
//	backend, err := boltkv.Open("state.db")
//	...
//	store := kv.New(backend) // checks keys, values and limits before the backend is asked
//
// A commit is on the disk before it is answered (go.etcd.io/bbolt: a B+ tree, copied on
// write, one writer at a time). One process at a time has the file. A watch compares the
// keys under its prefix with what it told last, which costs as much as there are keys:
// this is for thousands of keys, not for millions.
//
// The time that a key with a TTL has left is counted while the file is open, and anew
// when it is opened again. So no key lives shorter than it should, whatever the
// machine's clock does; an etcd that changes its leader does the same.
//
// A backend owns a goroutine for each watch, which ends with the watch's context or
// with Close.
package boltkv
