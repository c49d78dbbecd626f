// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"fmt"
	"time"
)

// MaxHold caps how long evidence is latched, however often it recurs (Envoy and
// gRPC A50 cap ejections at the same 300 s).
const MaxHold = 300 * time.Second

// Hold returns how long evidence is latched in the given episode (1 for the
// first): base × episode, at most [MaxHold].
func Hold(base time.Duration, episode uint32) time.Duration {
	if base <= 0 || episode == 0 {
		return 0
	}
	if uint64(episode) >= uint64(MaxHold/base)+1 {
		return MaxHold
	}
	return min(base*time.Duration(episode), MaxHold)
}

// Verdict is what follows from evidence, with the figures that it follows from.
type Verdict struct {
	State  State
	Weight float64 // MinWeight to 1: the share of its normal traffic that it should get

	Callers    int    // that sent to the instance in the window, at most MaxCallers of them
	BadCallers int    // of those, how many saw it bad
	Requests   uint64 // of all callers
	Failures   uint64
}

// String says the verdict and its figures in words.
func (v Verdict) String() string {
	return fmt.Sprintf("%s: %d of %d callers saw it bad, %d of %d requests failed",
		v.State, v.BadCallers, v.Callers, v.Failures, v.Requests)
}

// Judge returns the verdict on one instance. minRequests is [MinRequests], or 1
// for an instance on probation, where each probe counts.
//
// An instance is bad when at least min(3, callers), and at least half, of the
// callers saw it bad. So one caller of three or more ejects nobody, whatever it
// reports, and a fault that a third of the callers cannot see (their route
// differs) does not eject either: it lowers the weight.
//
// The weight is 1 minus the failure ratio, with two guards against one loud
// voice. With three or more callers the worst is left out. And no caller counts
// for more than 1/min(3, callers) of the whole, whatever its volume.
//
// Fewer requests than minRequests say nothing, unless the callers whose routers ejected
// the instance are enough to condemn it: a router has looked at a row of failures, and
// has ended the traffic that would be the evidence.
func Judge(e *Evidence, minRequests uint64) Verdict {
	return DefaultThresholds().Judge(e, minRequests)
}

// Judge is the function [Judge] with these thresholds.
func (t Thresholds) Judge(e *Evidence, minRequests uint64) Verdict {
	v := Verdict{State: Good, Weight: 1, Requests: e.Requests, Failures: e.Failures}
	ejecting := 0
	for _, c := range e.Callers {
		if c.Requests == 0 && !c.Ejected {
			continue
		}
		v.Callers++
		if c.sawBad(t.BadRatio) {
			v.BadCallers++
		}
		if c.Ejected {
			ejecting++
		}
	}
	enough := func(bad int) bool { return bad >= min(t.Quorum, v.Callers) && 2*bad >= v.Callers }
	if v.Callers == 0 || e.Requests < minRequests && !enough(ejecting) {
		return v
	}
	if enough(v.BadCallers) {
		v.State = Bad
	}
	v.Weight = max(MinWeight, 1-failureRatio(e.Callers, v.Callers))
	return v
}

// failureRatio returns the guarded failure ratio that weights follow.
func failureRatio(callers []Caller, n int) float64 {
	leaveOut := -1
	if n >= Quorum {
		leaveOut = worst(callers)
	}
	var total float64
	for i, c := range callers {
		if i != leaveOut {
			total += float64(c.Requests)
		}
	}
	if total == 0 {
		return 0
	}
	limit := 1 / float64(min(Quorum, n))
	var failed, counted float64
	for i, c := range callers {
		if i == leaveOut || c.Requests == 0 {
			continue
		}
		share := min(float64(c.Requests)/total, limit)
		counted += share
		failed += share * ratio(c)
	}
	return failed / counted
}

// worst returns the index of the caller with the greatest failure ratio, the
// one with more requests when two are equal.
func worst(callers []Caller) int {
	at := -1
	for i, c := range callers {
		if c.Requests == 0 {
			continue
		}
		if at < 0 || ratio(c) > ratio(callers[at]) ||
			ratio(c) == ratio(callers[at]) && c.Requests > callers[at].Requests {
			at = i
		}
	}
	return at
}

// ratio is capped at 1: a caller may claim more failures than requests.
func ratio(c Caller) float64 {
	return min(1, float64(c.Failures)/float64(c.Requests))
}
