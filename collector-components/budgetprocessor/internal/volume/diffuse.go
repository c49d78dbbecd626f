// SPDX-License-Identifier: Apache-2.0

package volume

// Diffuser chooses among items that have no identity to sample by, such as log
// records outside of traces. What was kept too much or too little of the ones before
// is carried on to the next, so that the bytes come out exactly whatever the sizes,
// and where the choice falls moves about, so that records that take turns are not
// always cut on the same side. The zero value is ready.
type Diffuser struct {
	owed float64
	turn uint64
}

// Keep says whether an item stays at a ratio.
func (d *Diffuser) Keep(size, ratio float64) bool {
	if ratio >= 1 {
		return true
	}
	d.owed += ratio * size
	d.turn++
	// SplitMix64's finish over the golden ratio's multiples: even, and without a period
	// that a sender could have.
	z := d.turn * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	if d.owed < size*float64((z^z>>31)>>11)/(1<<53) {
		return false
	}
	d.owed -= size
	return true
}
