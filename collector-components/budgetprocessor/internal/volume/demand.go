// SPDX-License-Identifier: Apache-2.0

package volume

import "math"

// bands is how finely a demand tells apart what came sampled: from 1 to a half, from
// a half to a quarter, and so on; the last has all that is below.
const bands = 8

// Demand is what arrives, by the ratio at which samplers before us kept it. What came
// at a lower ratio than ours is not cut again. The zero value is nothing.
type Demand struct{ bands [bands]band }

// band is an amount, and the amount that it stood for before it was sampled.
type band struct{ arrived, stoodFor float64 }

// Add counts an amount that was kept at a ratio, 1 for what was not sampled.
func (d *Demand) Add(amount, ratio float64) {
	i := 0
	if ratio < 1 {
		if !(ratio > 0) {
			return
		}
		i = min(-math.Ilogb(ratio)-1, bands-1)
		if ratio == 0.5 || i < 0 { // a half and above
			i = 0
		}
	}
	d.bands[i].arrived += amount
	d.bands[i].stoodFor += amount / min(ratio, 1)
}

// Total returns how much arrived.
func (d *Demand) Total() float64 {
	sum := 0.0
	for i := range d.bands {
		sum += d.bands[i].arrived
	}
	return sum
}

// Kept returns how much stays when the whole is cut to a ratio of what there was.
func (d *Demand) Kept(ratio float64) float64 {
	sum := 0.0
	for i := range d.bands {
		sum += min(d.bands[i].arrived, ratio*d.bands[i].stoodFor)
	}
	return sum
}

// Ratio returns the greatest ratio at which no more than want stays, 1 when all may.
//
// Kept is a sum of lines that bend where a band is no longer cut. Bands lie in the
// order of their bends, so it is enough to let the last ones pass whole, one after
// the other, until the ratio that the others need cuts none of those.
func (d *Demand) Ratio(want float64) float64 {
	cut := 0.0
	for i := range d.bands {
		cut += d.bands[i].stoodFor
	}
	for i := bands - 1; i >= 0 && cut > 0; i-- {
		b := d.bands[i]
		ratio := want / cut
		if b.stoodFor == 0 {
			continue
		}
		if ratio*b.stoodFor < b.arrived*(1-1e-9) { // sums of the same amounts differ by rounding
			return max(ratio, 0)
		}
		want -= b.arrived
		cut -= b.stoodFor
		if i == 0 || !d.any(i) {
			return 1
		}
	}
	return 1
}

// any says whether a band before i holds something.
func (d *Demand) any(i int) bool {
	for _, b := range d.bands[:i] {
		if b.stoodFor > 0 {
			return true
		}
	}
	return false
}

// decay takes away all but a share.
func (d *Demand) decay(share float64) {
	for i := range d.bands {
		d.bands[i].arrived *= share
		d.bands[i].stoodFor *= share
	}
}

func (d *Demand) join(other *Demand) {
	for i := range d.bands {
		d.bands[i].arrived += other.bands[i].arrived
		d.bands[i].stoodFor += other.bands[i].stoodFor
	}
}

// Limited returns the demand as it is once it was cut to a ratio: what a second
// limit, that of a tenant, has to deal with.
func (d *Demand) Limited(ratio float64) Demand {
	if ratio >= 1 {
		return *d
	}
	var out Demand
	for _, b := range d.bands {
		if kept := min(b.arrived, ratio*b.stoodFor); kept > 0 {
			out.Add(kept, kept/b.stoodFor)
		}
	}
	return out
}
