// SPDX-License-Identifier: Apache-2.0

// Package volume cuts what a service sends to its budget: so many spans, bytes of
// logs or data points a second. It knows no clock, no lock and no telemetry; time is
// a parameter, and what is kept is decided by the caller, at the ratio that a
// [Meter] answers.
//
//	p := meter.Ask(now, budget, &demand) // demand: what this batch holds
//	… keep the ratio p of it …
//	meter.Spend(kept)
//
// # How the ratio is found
//
// Two things bound it. The first is steady: what may be spent within the horizon,
// 5 s of the budget plus what was saved and less a reserve, over what arrived in it,
// weighted by age. It is looked at four times a second and stays in between, so that
// the parts of a trace that arrive one after the other are cut alike. Saving and debt
// are part of the sum, so that an error of sampling, or of a source that changes, is
// made up within the horizon and does not add up: in the long run what is kept is the
// budget.
//
// The second is quick: a batch may not take more than is saved. It is what holds the
// first second of a burst, before its rate is known. It never goes below a quarter of
// the steady ratio, so that no moment is lost whole and every span has a ratio that
// can be written on it.
//
// # Savings
//
// What is not used is saved, for as long as the burst (2 s by default), and one item at
// least. A source
// that was silent for longer, up to 60 s, may spend what it would have had: an
// exporter that sends once a minute needs no budget of sixty times its rate. The
// budget holds over every minute, not over every second.
package volume
