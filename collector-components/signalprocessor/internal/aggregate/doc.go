// SPDX-License-Identifier: Apache-2.0

// Package aggregate turns what callers measured into what the fleet knows of each
// instance. It is the pure core of the signal processor: no clock, no I/O, no
// goroutine. Time is a duration since some start that the owner chose and never
// goes back. docs/signals.md is the specification.
//
// An [Aggregate] is not safe for concurrent use; its owner has a lock around it.
package aggregate
