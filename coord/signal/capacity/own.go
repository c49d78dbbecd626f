// SPDX-License-Identifier: Apache-2.0

package capacity

import "math"

// ownUse estimates the CPU that a process uses for itself: collecting garbage, exporting
// telemetry, answering checks. Without it an instance would seem the dearer the fewer
// requests it gets, and so get fewer still: a fleet of three alike with little to do, and a
// fiftieth of a core each for themselves, settled at 36, 3 and 3 requests a second.
//
// It is the intercept of a line through the reports: CPU use against requests a second. That
// both scatter from report to report is what makes it visible. It is a correction of what is
// small and bounded, not a measurement: where the requests use whole cores its noise does not
// matter, and where nothing scatters it is zero.
type ownUse struct{ weight, x, y, xx, xy float64 }

// add takes in a report over so many seconds.
func (o *ownUse) add(seconds, completions, cpu float64) {
	keep := math.Pow(ownDecay, seconds)
	x, y := completions/seconds, cpu/seconds
	o.weight = o.weight*keep + seconds
	o.x = o.x*keep + x*seconds
	o.y = o.y*keep + y*seconds
	o.xx = o.xx*keep + x*x*seconds
	o.xy = o.xy*keep + x*y*seconds
}

// cores returns the estimate, 0 to maxOwnUse.
func (o *ownUse) cores() float64 {
	scatter := o.xx*o.weight - o.x*o.x
	if scatter <= 1e-9*o.xx*o.weight {
		return 0
	}
	slope := (o.xy*o.weight - o.x*o.y) / scatter
	return min(max((o.y-slope*o.x)/o.weight, 0), maxOwnUse)
}
