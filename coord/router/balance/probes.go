// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"sync/atomic"
	"time"
)

// The probe pool is Prequal's (NSDI'24, section 4): the last answers of instances that were
// asked at random, of which the best is used and the oldest and the worst are removed.
const (
	poolSize = 16
	probeAge = time.Second // an older answer says nothing
)

// answer is what an instance said to a probe. It is immutable but for what this router has
// sent there since.
type answer struct {
	node   *Node
	report Report
	at     time.Duration
	luck   float64      // 1 to 1 + evenly, see there
	sent   atomic.Int32 // requests, on the strength of this answer
	uses   int32
}

// inFlight is how many requests are there now, as far as this router knows.
func (a *answer) inFlight() float64 { return float64(a.report.InFlight) + float64(a.sent.Load()) }

// answers is a pool of answers. It takes no lock; who loses a race uses or removes an answer
// twice, which is harmless.
type answers struct {
	slots [poolSize]atomic.Pointer[answer]
	_     apart
	turn  atomic.Uint32 // the next to be removed is the worst, or the oldest
	debt  atomic.Int64  // removals owed, in thousandths
}

// add puts an answer in the place of the instance's last one, an empty one, or the oldest.
func (p *answers) add(a *answer) {
	place, oldest := -1, time.Duration(math.MaxInt64)
	for i := range p.slots {
		old := p.slots[i].Load()
		if old == nil {
			if oldest != math.MinInt64 {
				place, oldest = i, math.MinInt64
			}
			continue
		}
		if old.node == a.node {
			place = i
			break
		}
		if old.at < oldest {
			place, oldest = i, old.at
		}
	}
	p.slots[place].Store(a)
}

// ranked is an answer whose instance could get a request.
type ranked struct {
	*answer
	slot, place int
	score       float64
}

// choose returns the best answer, by the least score, and does the housekeeping of
// one request. It returns false when fewer than two are left to choose from.
func (p *answers) choose(c *Candidates, r Request, by rule, removals float64) (int, bool) {
	var pool [poolSize]ranked
	n := 0
	for i := range p.slots {
		a := p.slots[i].Load()
		if a == nil {
			continue
		}
		if r.Now-a.at > probeAge {
			p.slots[i].CompareAndSwap(a, nil)
			continue
		}
		place := c.Place(a.node)
		if place < 0 || !r.usable(a.node) {
			continue // out of rotation, or not this caller's
		}
		pool[n] = ranked{a, i, place, by.score(c, place, a)}
		n++
	}
	if n < 2 {
		return -1, false
	}
	best := 0
	for i := 1; i < n; i++ {
		if pool[i].score < pool[best].score {
			best = i
		}
	}
	chosen := pool[best]
	if chosen.sent.Add(1) >= chosen.uses {
		p.slots[chosen.slot].CompareAndSwap(chosen.answer, nil)
	}
	p.debt.Add(int64(removals * 1000))
	for left := pool[:n]; p.owes(); {
		if len(left) < 2 {
			p.debt.Store(0) // what cannot be paid is forgotten, or it would empty the pool for long
			break
		}
		left = p.remove(left)
	}
	return chosen.place, true
}

// owes takes one removal off the debt, if there is one.
func (p *answers) owes() bool {
	for {
		owed := p.debt.Load()
		if owed < 1000 {
			return false
		}
		if p.debt.CompareAndSwap(owed, owed-1000) {
			return true
		}
	}
}

// remove takes out the worst and the oldest in turns, and returns the others.
func (p *answers) remove(pool []ranked) []ranked {
	out := 0
	worst := p.turn.Add(1)%2 == 0
	for i := range pool {
		if worst && pool[i].score > pool[out].score || !worst && pool[i].at < pool[out].at {
			out = i
		}
	}
	p.slots[pool[out].slot].CompareAndSwap(pool[out].answer, nil)
	last := len(pool) - 1
	pool[out] = pool[last]
	return pool[:last]
}

// usesOf returns how often an answer may be used, so that the pool neither runs dry nor goes
// stale (equation 1 of the paper), rounded at random.
// Reuse is the paper's delta: by how much the pool may grow over what it loses.
func usesOf(instances int, rate, removals, reuse float64, random func(int) int) int32 {
	budget := float64(poolSize)
	if rest := (1-min(1, poolSize/float64(max(instances, 1))))*rate - removals; rest > 0 {
		budget = min(max(1, (1+reuse)/rest), poolSize)
	}
	whole := math.Floor(budget)
	if float64(random(fine)) < (budget-whole)*fine {
		whole++
	}
	return int32(whole)
}
