// SPDX-License-Identifier: Apache-2.0

// Package acts is what routers do by themselves: an instance taken out of rotation or
// brought back, panic, a breaker opened, half opened or closed. Each [Act] names the rule,
// the figures against their thresholds and the callers that were counted; its [Effect] says
// what the service was like in the ten seconds before it and in the ten after.
//
// A router tells an act as an event and, eleven seconds later, its effect as another
// ([Act.Record], [Act.EffectRecord]). Who reads such events from where they are stored puts
// them together again:
//
//	told := acts.Join(events, "orders")        // each act upon orders, with its effect
//	folded := acts.Fold(told, acts.FoldWithin) // what many routers did alike, as one
//
// What the routers of this process did is in router.Explanation.
//
// # Order and clocks
//
// Acts of several processes are ordered, and held to be at the same time, by when their
// events were stored, which one clock says. The time of an act is the word of the process
// that acted and only for people.
//
// # What it does not do
//
// It reads nothing and keeps nothing: all of it is pure functions, but for [NewID]. Who told an act is what
// the reader of the events says; package acts does not verify it.
package acts
