// SPDX-License-Identifier: Apache-2.0

// Package balance decides which instance gets a request: the core of coord/router,
// without clock, goroutine or I/O. Time is a duration since any start, randomness
// a function, so that a test or a simulation runs the same code as a service.
//
// A [Pool] holds a [Node] for each instance of one service. [Pool.Update] brings who is
// there and what the fleet says of them, [Pool.Pick] chooses, and returns an [Attempt] whose
// Done reports how it went. Among the instances in rotation a [Policy] chooses; who is in
// rotation is the pool's business, whatever the policy.
//
// # Adaptive
//
// The policy where nothing is said, [Adaptive], predicts what one more request would take at
// each instance that it knows the load of, and takes the least:
//
//	S × max(1, (R + 1) / C)
//
// S is the CPU time that a request costs the instance (its service demand), C how many
// requests it serves at once before they queue (its effective parallelism), R how many are
// there now. That is the processor sharing line: with R + 1 requests on C processors each gets
// C / (R + 1) of one, and never more than a whole one; so S of work takes S × (R + 1) / C, and
// never less than S. S and C change slowly, and come with the fleet's signals, from CPU time
// and completions by the operational laws of queueing (coord/signal/capacity). R changes within
// milliseconds, and comes from the instance itself: with its answers to requests, and to
// probes. R counts by weight, as R / weight, so that an instance of half the weight holds half
// as many.
//
// Probes, and what is done with their answers, are Prequal's ("Load is not what you should
// balance: introducing Prequal", Wydrowski et al., NSDI 2024, section 4). Instances drawn by
// chance are asked after a request, and their answers wait for those that follow, in a pool of
// sixteen. An answer is good for a second and a few uses (equation 1 of the paper), counts what
// was sent on its strength, and leaves when it is the oldest or the worst, in turns. What is
// added to the paper:
//
//   - an instance that told its load within 100 ms is not asked: that is its answer;
//   - no more are asked than an option says, two a request and 50 a second; none where the
//     median request takes less than 5 ms, which a probe is not worth;
//   - when few answers come, chance takes its part: two are drawn, or up to eight as long as
//     all of them told their load within half a second, as they do to a caller with much of the
//     traffic;
//   - one request in a thousand goes to an instance that got none for ten seconds and where
//     nobody waits, so that what is known of it can be proved wrong.
//
// An instance whose CPU time nobody reports is scored by Prequal's own rule: one with no more
// in flight than 84 % of the answers say is cold, and counts by the latency that it says; the
// hot come after all that are cold, by their requests in flight. Both scores are times, so that
// a fleet of both kinds compares.
//
// The least is never taken of what all callers were told alike: they would all go to the same
// instance, and find it overloaded (TestNeverTheLeastOfAPublishedSnapshot shows it). What is
// compared is what chance showed this caller, and R as this caller heard it.
//
// # The other policies
//
//   - [Prequal]: the paper, as published.
//   - [PeakEWMA]: two are drawn, and the lower (latency + 2 ms) × (own requests in flight /
//     weight + 1) gets it. Latency is Finagle's peak EWMA: a slower answer counts at once, a
//     faster one with a time constant of 0.5 s. Without answers it decays, with the same
//     constant, towards what the fleet measures. Costs within a quarter of each other are
//     equal, so that an idle fleet is used by weight alone. Adaptive compares so where it knows
//     no load.
//   - [LeastRequest]: two are drawn, and the one with fewer own requests in flight gets it.
//   - [RoundRobin]: turns, whatever the weights.
//   - [Weighted]: by weight alone.
//   - [ConsistentHash]: equal keys to equal instances, with bounded loads. An instance that
//     comes or goes moves its own share of the keys.
//
// All but RoundRobin draw by weight, with the alias method: at the same cost for any number of
// instances. An instance that is ramping declines some of its draws. A policy of one's own is a
// type with the method Choose; if it has those of [Prober], [Beginner] or [Observer] it may also
// ask instances for their load, and hear which requests began and how they ended.
//
// # The states of an instance
//
//	         consecutive failures, their ratio, an outlier among
//	         the instances, one refusal of an unconfirmed one
//	active ────────────────────────────────────────────▶ ejected
//	│  ▲                                                  │  ▲
//	│  │ 3 successful probes                    hold over │  │ a probe failed
//	│  └──────────────────────── probing ◀────────────────┘  │ (next episode)
//	│                            │  ▲  └────────────────────┘
//	│                            │  │ no longer bad
//	│ the fleet says bad         ▼  │
//	└───────────────────▶ ejected by the fleet
//
// The hold is base × episode, at most 300 s, and up to a fifth longer by caller; a stay in
// rotation as long as the last hold ends the count. While an instance is probed it gets one
// request at a time, a tenth of the base apart; who comes back gets a tenth of its traffic at
// first, and all after 5 s. A request that was cancelled says nothing, and so does one that
// began before the state did.
//
// The fleet's verdict takes out at most a share of the instances ([Ejection]), and none whose
// last 20 requests by this router all succeeded within 5 s. To a router that knows nothing of
// an instance the fleet's probation is a reason to probe it first. When less than a part of the
// instances ([Settings].Panic) is left ejections are ignored; there, twenty successes return
// one. An instance that vanished from discovery, and refuses connections, is no reason to panic.
//
// Every 10 s the instances are compared, as gRPC does it (A50), where at least five of them had
// a hundred requests of this router in those 10 s: one leaves whose success rate is [Ejection].Stdev
// deviations below the mean, and at least 5 points; or whose mean latency is so many times the
// median, if that is set. The same share holds as for the fleet's verdicts.
//
// [Ejection].Mode switches all of that: [Observe] tells what would be done, with [Off] nothing
// is. Who is out when it is switched is probed, and comes back if it does well. Only who is not
// there at all (vanished, and refusing) is taken out in any mode. Each act is an [Event] with
// its figures and what they were held against. [Pool.Force] takes instances out by an
// operator's word, before all else.
//
// # Who is among the candidates
//
// Of the instances in service that nobody took out, a caller may use a subset
// ([Settings].Subset): chosen by rendezvous hashing, twice as many as its part of the traffic
// asks for, growing at once and shrinking when half would do. Of these, those in rotation are
// the candidates, and of these
//
//   - a request that is limited to a variant goes to the variant's, whatever their zone, and
//     to all when none of its own is in rotation or can be reached: better another version's
//     answer than none;
//   - any other stays in the caller's zone ([Settings].Zone) as long as the zone's part of the
//     weight is no less than its callers' part of all; what is over goes elsewhere (Envoy's zone
//     aware routing). In panic there are no zones.
//
// With [Settings].SlowStart the traffic of an instance that came later than the pool grows from
// a tenth to all over that time.
//
// # Concurrency
//
// All methods may be called by many goroutines at once. There are none of the package's own:
// what time alone changes (a hold that ends, the next comparison) is done by the next request.
// Pick and Done take no lock of the pool, and allocate nothing; they read an immutable table
// through an atomic pointer, Done locks the instance's record for the moment that it counts.
// Whoever holds the pool's lock is the writer, and publishes a new table: Update, Configure,
// Force, and requests that change a state. Candidates that did not change stay the same ones,
// so that a policy may keep what it derived from them. Events are told in order and one at a time,
// with no lock held, by a call that caused some of them.
//
// What policies learn from requests is kept in atomics, and may lose a count to a race, which
// is said where it is so, and changes a statistic, never who may be chosen: an instance is
// looked up among the candidates of the request at hand, by its number and its identity.
package balance
