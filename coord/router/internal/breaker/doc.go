// SPDX-License-Identifier: Apache-2.0

// Package breaker decides which share of its requests a router sends to a service, or to a
// route of it: none while an operator or the fleet says that it is down, a share that grows
// while it comes back, all otherwise.
//
// Three know something of a scope, and the first that has a word decides:
//
//  1. an operator, who has forced the circuit open or closed;
//  2. the fleet, whose callers together found it down ([signal.Circuit]);
//  3. this process ([Local]), by the same thresholds on what it saw itself, when the signals
//     are away or say nothing of the scope.
//
// A request that takes a route is subject to two scopes, the route and the service;
// the one that admits less holds. An operator's word is about its own scope: a route that is
// forced closed is still closed to traffic while its service's circuit is open.
//
// The package has no clock, no randomness and no goroutine: time is a duration since some
// start that the owner chose. All methods are safe for concurrent use. While a circuit is
// closed a decision takes no lock.
package breaker
