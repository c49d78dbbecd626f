// SPDX-License-Identifier: Apache-2.0

// Package balance decides which instance gets a request: the core of coord/router,
// without clock, goroutine or I/O. Time is a duration since any start, randomness
// a function, so that a test or a simulation runs the same code as a service.
//
// A [Pool] holds a [Node] for each instance of one service. [Pool.Pick] reads an
// immutable table through an atomic pointer and takes no lock; it returns an
// [Attempt], whose Done reports how it went. [Pool.Update] brings who is there and
// what the fleet says of them.
//
// # The choice
//
// A probe that is due goes first. Otherwise two instances are drawn at random in
// proportion to their weight, and the one with the lower cost gets the request:
//
//	(latency + 2 ms) × (requests in flight / weight + 1)
//
// Latency is a peak EWMA as Finagle has it: a slower answer counts at once, a faster
// one with a time constant of 0.5 s. Without answers it decays, with the same constant,
// towards what the fleet measures. Costs within a quarter of each other are equal, so
// that an idle fleet is used by weight alone.
//
// # The states of an instance
//
//	         5 failures in a row, half of ≥ 10 in 10 s,
//	         one refusal of an unconfirmed instance
//	active ────────────────────────────────────────────▶ ejected
//	│  ▲                                                  │  ▲
//	│  │ 3 successful probes                    hold over │  │ a probe failed
//	│  └──────────────────────── probing ◀────────────────┘  │ (next episode)
//	│                            │  ▲  └────────────────────┘
//	│                            │  │ no longer bad
//	│ the fleet says bad         ▼  │
//	└───────────────────▶ ejected by the fleet
//
// The hold is base × episode, at most 300 s; a stay in rotation as long as the last
// hold ends the count. The fleet's verdict takes out at most half of the instances,
// and none whose last 20 requests by this router all succeeded within 5 s. When fewer
// than half of the instances are left, ejections are ignored (panic).
package balance
