// SPDX-License-Identifier: Apache-2.0

// Package embedded runs a single etcd member inside this process, for
// development, for tests and for programs that want one process and no
// installation. It is a real etcd with a data directory; it is not a cluster,
// and when the process ends so does it.
//
// It listens on loopback only, compacts its history every five minutes (etcd's
// own default keeps history for ever, which fills the quota in days when a value
// changes each second), and is ready in well under two seconds.
//
// A [Server] owns etcd's goroutines; Close stops them and waits.
package embedded
