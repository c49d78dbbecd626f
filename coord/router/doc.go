// SPDX-License-Identifier: Apache-2.0

// Package router sends requests to services by name: to the instance that will answer
// soonest, and away from instances and services that do badly.
//
//	r, err := router.New(directory,
//		router.WithSignals(signals), router.WithSignalMeter(t.SignalMeter()),
//		router.WithRules(documents), router.WithOverrides(overrides))
//	...
//	client := &http.Client{Transport: r.Transport(nil)}
//	resp, err := client.Get("http://orders/42")
//	...
//	conn, err := grpc.NewClient("otelplat:///orders", append(r.DialOptions(), credentials)...)
//
// For a protocol of your own there is the [Selector]: Select, send, Record.
//
// # How it chooses
//
// It predicts how long a request would take at each of some instances drawn at random, and
// takes the least. Three kinds of knowledge meet in that: how many requests are at the
// instance now, which it says itself with its answers, or when it is asked; how much CPU
// time a request costs there, and how many it serves at once, which the fleet's signals
// tell; and what this router saw itself. Package balance has the policy, the others that a
// service's document can name, and how to write one's own. docs/routing.md compares them.
//
// An instance is asked for its load ("probed") where this router's own traffic is too sparse
// to know: twice for a request and 50 times a second for a service, at most, and not where
// requests take less than 5 ms anyway. Servers of package otelplat answer that; others are
// asked once in ten minutes, and chosen by what is seen of them. What an instance says is
// held against what this router measures there: one that takes clearly longer than the others,
// or fails clearly more often, gets requests by chance only, whatever it says.
//
// # Who is left out
//
// An instance that fails five times in a row, or half of ten requests of ten seconds, or
// far more often than the others, leaves the rotation for a hold (30 s, longer each time),
// then one request at a time probes it, and three successes bring it back with a growing
// part of its traffic. So does one that the fleet says is bad ([signal.Judge]), whether this
// router sent to it or not, unless its own last 20 requests all succeeded within 5 s. The
// fleet's verdict takes out at most half. With fewer than half left all are used again.
//
// # When a service is down
//
// A breaker lets nothing through to a service, or to a route of it, that fails for a quorum
// of its callers: [*OpenError]. It is the fleet's: every router comes to the same from the
// same signals, also one that has sent nothing yet. Without signals each process has its
// own. A growing part of the requests finds out when the service is back. Operators can
// force a breaker either way, and an instance out, for a time (package override).
//
// # What else a document says
//
// Package rules: deadlines, retries and hedges within a budget (one fifth of the requests
// and three), which answers are failures, zones, subsets, slow start, variants of a service
// and routes that share requests among them. Without a document its defaults hold.
//
// # What it tells
//
// Each attempt is recorded in the histogram otelplat.route.duration, each ejection in
// otelplat.route.ejections, on the meter provider of [WithSignalMeter]. An answer of
// HTTP 5xx, or a gRPC status of Unknown, Unimplemented, Internal, Unavailable or
// DataLoss, is an error unless the document says otherwise; what the caller cancelled says
// nothing. Each automatic act is an event with the figures and the thresholds, and another
// one tells ten seconds later what it came to (package acts). [Router.Explain] tells where
// each instance stands, and why; [Router.ExplainRequest] what would become of a request, and
// what this router did of late.
//
// # What it does not do
//
// It does not limit what a server takes. It does not open connections ahead for HTTP. It
// keeps sending to instances that the directory keeps, see coord/discovery. Streams are
// neither retried nor hedged.
//
// # Ownership and failure
//
// No request waits for etcd or a collector. Without etcd the router goes on with the
// directory's last members, the last document and the last overrides; signals older than
// [signal.MaxAge] are ignored, and what they kept out is probed. A router owns a goroutine,
// one for each thing that it follows of a service, and those that ask for load, until Close.
// A hedged request has a goroutine for each attempt, which ends with the attempt; an RPC
// waits for those that lost, for they read its message. Close the router
// before the directory, the signals, the documents and the overrides.
package router
