// SPDX-License-Identifier: Apache-2.0

// Package policy decides by Rego: who may do what, and which telemetry is kept.
//
//	source, err := policy.Etcd(client, "shop", keys)
//	engine, err := policy.Open(ctx, source, policy.WithEntrypoints("shop.orders"))
//	...
//	decision, err := engine.Decide(ctx, "shop.orders", policy.Input{...})
//	if !decision.Allow { ... decision.Rule says why }
//
// Package guard asks an engine for every request of an HTTP or gRPC server.
//
// # Entrypoints
//
// An entrypoint is a Rego package. Its rule allow must be true for the answer to be
// yes; its set deny, when it has one, holds the names of rules that forbid, and any
// name in it makes the answer no:
//
//	package shop.orders
//
//	default allow := false
//
//	allow if input.action.name == "cancel"
//
//	deny contains "not-the-owner" if {
//		input.action.name == "cancel"
//		input.resource.properties.owner != input.subject.id
//	}
//
// The set reasons and the set obligations, where a package has them, come with the
// decision. The input is what AuthZEN 1.0 calls an access evaluation request: [Input].
//
// # Three paths
//
// An entrypoint is lowered to native code paths where that is exact (package compile);
// else OPA evaluates it, and its decisions are kept for inputs that agree in exactly the
// parts that they can depend on; else OPA evaluates it each time. The answers are the
// same. [Snapshot.Explain] tells which path an entrypoint takes, and why.
//
// # What it guarantees
//
//   - Deny by default: nothing loaded, an undefined or non-boolean allow, an
//     error, an input that is too large, an evaluation by OPA that took over 50 ms all
//     mean no. [Decision.Outcome] tells them apart.
//   - A bundle is in force as a whole or not at all. It is compiled in strict mode
//     and its own tests (rules named test_…) are run beside the one in force; what
//     fails leaves that one in force, and [Status] says why. A deleted bundle is
//     unloaded.
//   - From etcd only signed bundles are taken, verified before anything reads
//     them. The keys come from local files, never from etcd.
//   - Policies cannot reach outside, tell the time or be random: http.send, net.*,
//     opa.runtime, time.now_ns, rand.intn and their like do not compile. Nor does
//     io.jwt.decode_verify, which asks the clock; tokens are for package authn.
//
// Each denial, and one in a hundred of the others, is an event
// otelplat.policy.decide, through a bounded queue that never keeps a request waiting; all
// are counted.
//
// # When the source is away
//
// The last bundle stays in force and [Engine.Age] grows. Decide never waits.
//
// # Ownership
//
// An Engine owns its source and two goroutines until Close. Decide and [Snapshot]
// are lock-free and safe for concurrent use: OPA's compiler, store and prepared
// queries of one revision are immutable behind one pointer.
//
// OPA's partial evaluation is not used: in v1.20 it turns some undefined answers
// into allow (opa#7512 and its like).
package policy
