// SPDX-License-Identifier: Apache-2.0

// Package override is what operators force upon routing for a while: an instance out of
// rotation, the breaker of a service or of a route open or closed.
//
//	held, err := override.Set(ctx, client, override.Override{
//		Service: "orders", Kind: override.Eject, Instance: "orders-7", State: override.Ejected,
//		For: 10 * time.Minute, By: "ada", Reason: "disk is failing",
//	})
//
// [Set] writes it, in place of the one before, [Clear] ends it, [List] shows what holds. A
// process reads it from a [Source]:
//
//	f, err := override.Etcd(client).Follow(ctx, "orders")
//	if o := f.Current().Ejected("orders-7"); o != nil { … }
//
// # How one ends
//
// An override is not configuration, because it ends: after [MaxFor] at the latest nobody has
// to remember it. It is a key under a lease, which is its expiry, so the whole fleet sees the
// end at once and no two clocks are compared. A reader whose copy is older than [StaleAfter]
// ends an override by its own monotonic clock, its duration after it was received: never
// before its lease could have ended, and later by no more than the override's own duration.
// When etcd answers again, etcd's word counts again. Nothing is kept on disk: a process that
// starts while etcd is away knows of no overrides.
//
// # What it does not do
//
// It decides nothing: the router weighs an override before what the fleet and it itself
// know. It does not check that the instance or the route exists.
//
// # Ownership and failure
//
// A source owns a mirror and a goroutine for each service that was asked for, until Close.
// Overrides under route/<service>/ are written by operators alone (coord/access); a value
// that cannot be read is reported by the mirror and changes nothing. Each override that a
// process heeds is an event, otelplat.route.override, and so is its end,
// otelplat.route.release.
package override
