// SPDX-License-Identifier: Apache-2.0

// Package compile lowers Rego to native code paths: what OPA compiled, with the bundle's
// data as constants, becomes a [Program] of indexed matchers that answers in some hundred
// nanoseconds and allocates nothing, however many rules there are. Its answers are OPA's:
// what cannot be lowered exactly is refused when the program is made, and what cannot be
// answered exactly when it runs is left to OPA. Package policy does both; nobody else
// needs this package to ask for decisions.
//
//	program, err := compile.Lower(compiler, data, ast.MustParseRef("data.shop.orders.allow"))
//	var unsupported *compile.UnsupportedError // OPA evaluates
//	...
//	value, defined, err := program.Eval(input)
//	var surprise *compile.SurpriseError // OPA evaluates this input
//
// # How it works
//
// The compiled AST is lowered, not the partial evaluation, which in OPA 1.20 turns some
// undefined answers into allow. Each rule's body becomes a chain of steps over operands
// that are constants, slots (ground paths of the input, read once) or registers. A step is
// a test, or a generator that runs the rest for each member of a collection.
//
// All bodies of one name stand in an index tree, built greedily by how many bodies a
// condition on one path tells apart: equality and membership by hash, prefixes in a sorted
// list with links to the prefixes of a prefix, bounds in a sorted list. What a body asks
// besides runs at the leaf; conditions that led there do not run again.
//
// A [Value] is 24 bytes and takes what encoding/json makes as it is: nothing of an input
// is converted but what is asked for.
//
// # Why the answers are the same
//
// OPA stops early, in an order that its own index decides. That shows only if something
// that it did not come to would have been an error: rules that contradict each other, or a
// builtin that fails. So whatever could be an error is either impossible, because a look
// at the paths that builtins take, before anything else, finds what they take; or it is
// evaluated in every case, in its place. An error that comes up so is a surprise, and OPA
// evaluates the input anew: a superset of what OPA comes to has no error, or OPA itself
// says whether it has one.
//
// Left to OPA when the program is made: with, builtins that are random or tell the time,
// rules of several paths as one value, rules below rules.
// When it runs: contradictions, failing builtins, numbers that are not finite in float64,
// one number written in two ways where it shows which, arithmetic beyond 64 bits, more
// than 131,072 members looked at, interpolated strings of more than 1 MiB.
//
// # Bounds
//
// Lowering one entrypoint may take [MaxTime] and [MaxMemory].
//
// An evaluation may take 20 ms, and a builtin of OPA's that could work without end 10;
// what takes longer is left to OPA. The clock is looked at before such a builtin and each
// 512 members, those counted that a comparison of collections, a path or a text is made
// of: most evaluations never look.
//
// A Program is immutable and safe for concurrent use. Nothing here owns a goroutine.
package compile
