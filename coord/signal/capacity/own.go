// SPDX-License-Identifier: Apache-2.0

package capacity

import "math"

// ownUse estimates the CPU that a process uses for itself: collecting garbage, exporting
// telemetry, answering checks. Without it an instance would seem the dearer the fewer
// requests it gets, and so get fewer still: a fleet of three alike with little to do, and a
// fiftieth of a core each for themselves, settled at 36, 3 and 3 requests a second.
//
// It is the intercept of a line through the reports: CPU use against requests a second. That
// both scatter from report to report is what makes it visible. What is left out is what is
// beyond doubt: the estimate less three standard errors, and none where more requests do not
// go with more use. Where the requests scatter little that is nothing.
type ownUse struct{ weight, squares, x, y, xx, xy, yy float64 }

// add takes in a report over so many seconds.
func (o *ownUse) add(seconds, completions, cpu float64) {
	keep := math.Pow(ownDecay, seconds)
	x, y := completions/seconds, cpu/seconds
	o.weight = o.weight*keep + seconds
	o.squares = o.squares*keep*keep + seconds*seconds
	o.x = o.x*keep + x*seconds
	o.y = o.y*keep + y*seconds
	o.xx = o.xx*keep + x*x*seconds
	o.xy = o.xy*keep + x*y*seconds
	o.yy = o.yy*keep + y*y*seconds
}

// cores returns the estimate, 0 to maxOwnUse. It is weighted least squares, with the number
// of reports that the weights amount to (Kish) for the degrees of freedom.
func (o *ownUse) cores() float64 {
	if o.weight == 0 {
		return 0
	}
	reports := o.weight * o.weight / o.squares
	x, y := o.x/o.weight, o.y/o.weight
	sxx, sxy, syy := o.xx/o.weight-x*x, o.xy/o.weight-x*y, o.yy/o.weight-y*y
	if reports < minReports || sxx <= 1e-9*x*x || sxy <= 0 {
		return 0
	}
	slope := sxy / sxx
	residual := max(syy-slope*sxy, 0) * reports / (reports - 2)
	standardError := math.Sqrt(residual / reports * (1 + x*x/sxx))
	return min(max(y-slope*x-3*standardError, 0), maxOwnUse)
}
