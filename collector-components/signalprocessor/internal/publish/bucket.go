// SPDX-License-Identifier: Apache-2.0

package publish

import "time"

// bucket limits what is spent a second. It holds the worth of one round, so that no second
// takes much more than another, and what is spent may exceed what it holds: the rest is
// owed, so that the mean keeps to the limit whatever the size of one piece.
type bucket struct {
	perSecond, holds float64
	last             time.Duration
	used             bool
}

func (b *bucket) ready(now time.Duration) bool {
	capacity := b.perSecond * Interval.Seconds()
	if !b.used {
		b.used, b.holds, b.last = true, capacity, now
	}
	b.holds = min(capacity, b.holds+b.perSecond*(now-b.last).Seconds())
	b.last = now
	return b.holds > 0
}

func (b *bucket) spend(n int) { b.holds -= float64(n) }
