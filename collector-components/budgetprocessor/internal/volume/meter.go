// SPDX-License-Identifier: Apache-2.0

package volume

import (
	"math"
	"time"
)

const (
	// Horizon is how long what arrived counts, and in which time a debt is made up.
	Horizon = 5 * time.Second

	// DefaultBurst is how much a source may save.
	DefaultBurst = 2 * time.Second

	// MaxSilence is for how long a source that was silent may save.
	MaxSilence = time.Minute

	// Tick is how long a steady ratio stays.
	Tick = 250 * time.Millisecond

	// least is the part of the budget that is spent even by who is deep in debt, and
	// quick how far below the steady ratio one batch may be cut.
	least, quick = 0.05, 0.25
)

// Budget is a rate with what may be saved of it. A PerSecond of 0 has no limit.
type Budget struct {
	PerSecond float64
	Burst     time.Duration // DefaultBurst when 0
}

// Meter holds one source to its budget. The zero value is ready. It is not safe for
// concurrent use.
type Meter struct {
	recent  Demand  // weighted by age over the horizon
	saved   float64 // amount; below zero it is a debt
	most    float64 // that may be saved, in seconds
	ratio   float64
	last    time.Duration
	until   time.Duration // that the ratio stays
	perSec  float64       // that saved is measured by
	started bool
}

// Ask counts what a batch holds and returns the ratio of it to keep. Times do not go
// back; one that does counts as no time passed.
func (m *Meter) Ask(now time.Duration, b Budget, batch *Demand) float64 {
	burst := b.Burst
	if burst <= 0 {
		burst = DefaultBurst
	}
	m.pass(now, b.PerSecond, burst.Seconds())
	m.recent.join(batch)
	if b.PerSecond <= 0 {
		m.ratio = 1
		return 1
	}
	perHorizon := b.PerSecond * Horizon.Seconds()
	reserve := b.PerSecond * burst.Seconds() / 2
	switch full := b.PerSecond * max(m.most, burst.Seconds()); {
	case m.saved >= full && batch.Total() <= full-reserve:
		// Nobody who is over the budget saves that much: the burst that is still
		// remembered is over.
		m.ratio, m.until = 1, now
	case now >= m.until || m.ratio == 1:
		m.ratio = m.recent.Ratio(max(m.saved+perHorizon-reserve, least*perHorizon))
		m.until = now + Tick
	}
	steady := batch.Kept(m.ratio)
	if steady <= m.saved {
		return m.ratio
	}
	return min(m.ratio, batch.Ratio(max(m.saved, quick*steady)))
}

// pass lets time go by.
func (m *Meter) pass(now time.Duration, perSecond, burst float64) {
	if !m.started {
		m.started, m.last, m.perSec = true, now, perSecond
		m.most, m.saved = burst, perSecond*burst
		return
	}
	if perSecond != m.perSec {
		// With a smaller budget savings and debts last as long as they did; with a greater
		// one they stay what they are.
		if m.perSec > 0 {
			m.saved *= min(1, perSecond/m.perSec)
		} else {
			m.saved = perSecond * burst
		}
		m.perSec, m.until = perSecond, now
	}
	if now > m.last {
		gone := now - m.last
		m.last = now
		left := math.Exp(-gone.Seconds() / Horizon.Seconds())
		m.recent.decay(left)
		m.most = max(burst, min(gone, MaxSilence).Seconds(), m.most*left)
		m.saved += perSecond * gone.Seconds()
	}
	// At least one item: a budget of less than one in the burst would lose what it saves
	// between two, and keep a part of what it may.
	m.saved = min(m.saved, max(perSecond*max(m.most, burst), 1))
}

// Spend takes what was kept out of the savings. A debt is at most a minute's budget.
func (m *Meter) Spend(amount float64) {
	m.saved = max(m.saved-amount, -m.perSec*MaxSilence.Seconds())
}

// Indebted says whether more than a burst was kept that there was no budget for.
func (m *Meter) Indebted(burst time.Duration) bool {
	return m.saved < 0 && m.saved < -m.perSec*burst.Seconds()
}

// Rate returns the demand a second: the mean over the horizon, weighted by age.
func (m *Meter) Rate(now time.Duration) float64 {
	age := max(now-m.last, 0)
	return m.recent.Total() / Horizon.Seconds() * math.Exp(-age.Seconds()/Horizon.Seconds())
}

// Last returns when something arrived last.
func (m *Meter) Last() time.Duration { return m.last }
