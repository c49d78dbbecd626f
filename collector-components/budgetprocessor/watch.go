// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import "math"

const (
	// warnAt is the part of a budget from which there is a warning, and calmAt the one
	// below which it is forgotten.
	warnAt = 0.8
	calmAt = 0.7

	// calm is for how many seconds nothing was cut when an excess is over.
	calm = 60
)

// turn is what a watch has to tell.
type turn uint8

const (
	none turn = iota
	warns
	exceeds
	ends
)

// level is how a budget stands.
type level uint8

const (
	within level = iota
	warned
	exceeded
)

// watch follows one budget by the second. It knows no clock.
type watch struct {
	level level
	mean  float64 // of what is asked for in a second, over a minute
	asked float64 // until the last look
	cut   float64 // until the last look
	quiet int     // seconds without a cut
	began float64 // what was cut before the excess
	since int     // seconds of the excess
}

// rate takes in what was asked for until now, once a second, and returns the mean of
// a minute.
func (w *watch) rate(asked float64) float64 {
	const left = 1 - 1./60
	w.mean = w.mean*left + (asked-w.asked)*(1-left)
	w.asked = asked
	return w.mean
}

// look takes in how much is used of a limit, and what was cut until now, once a
// second.
func (w *watch) look(used, cut, limit float64) turn {
	grew := cut > w.cut
	before := w.cut
	w.cut = cut
	if limit <= 0 {
		limit = math.Inf(1)
	}
	switch {
	case w.level == exceeded:
		w.since++
		if w.quiet++; grew {
			w.quiet = 0
		}
		if w.quiet < calm {
			return none
		}
		w.level = within
		if used >= warnAt*limit {
			w.level = warned // which it was told of
		}
		return ends
	case grew:
		w.level, w.quiet, w.since, w.began = exceeded, 0, 0, before
		return exceeds
	case w.level == within && used >= warnAt*limit:
		w.level = warned
		return warns
	case w.level == warned && used < calmAt*limit:
		w.level = within
	}
	return none
}
