// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What an instance says of its load is a hint, and may be false: a server that says for ever
// that it has nothing to do would be the best of all. So a router holds it against what it
// measured itself. An instance whose answers take clearly longer than those of the others, or
// that fails clearly more often, is doubted: it gets a request only where chance chooses, or
// where all are doubted. Doubt ends when what gave rise to it is forgotten.
const (
	// slower is how many times the typical latency is clearly longer, with bias for what the
	// network adds. Honest instances differ less as long as others are left to choose from:
	// load evens their latencies out.
	slower = 2.0

	// failsOften is the part of the answers from which on failures are more than bad luck, and
	// failingMore how many times the typical part.
	failsOften  = 0.1
	failingMore = 2.0

	// An experience is forgotten with the time constant experienceTime, and is worth nothing
	// with less than experienceLeast answers. Its memory is of experienceMost: one answer in
	// ten that takes ten times as long is then four deviations from doubt.
	experienceTime  = 2 * time.Second
	experienceLeast = 8.0
	experienceMost  = 32.0

	// lookEvery is how often doubt is looked at.
	lookEvery = 100 * time.Millisecond
)

// experience is what a router's own requests to an instance came to lately. The zero value is
// none. The node's lock guards it.
type experience struct {
	at     time.Duration // of the last answer
	weight float64       // answers, older ones for less
	timed  float64       // of them, those that did not fail
	took   float64       // their mean, in nanoseconds
	failed float64       // part of them
}

// left returns how much of the answers is not forgotten.
func (e *experience) left(now time.Duration) float64 {
	return e.weight * math.Exp(-float64(max(now-e.at, 0))/float64(experienceTime))
}

func (e *experience) add(now, took time.Duration, failed bool) {
	left := 0.0
	if e.weight > 0 {
		left = e.left(now) / e.weight
	}
	e.weight = min(e.weight*left+1, experienceMost)
	e.timed *= left
	e.at = max(e.at, now)
	if failed {
		e.failed += (1 - e.failed) / e.weight
		return
	}
	e.failed -= e.failed / e.weight
	e.timed = min(e.timed+1, experienceMost)
	e.took += (float64(took) - e.took) / e.timed
}

// doubts decides which instances are doubted. The zero value is ready.
type doubts struct {
	next atomic.Int64 // when to look again

	mu     sync.Mutex // of what follows, for whoever looks
	took   []float64
	failed []float64
	known  []doubtful
}

type doubtful struct {
	node         *Node
	took, failed float64
}

// look compares the candidates with each other, when it is time to.
func (d *doubts) look(c *Candidates, now time.Duration) {
	if next := d.next.Load(); int64(now) < next || !d.next.CompareAndSwap(next, int64(now+lookEvery)) || !d.mu.TryLock() {
		return
	}
	defer d.mu.Unlock()
	d.took, d.failed, d.known = d.took[:0], d.failed[:0], d.known[:0]
	for _, n := range c.nodes {
		n.mu.Lock()
		e := n.experience
		n.mu.Unlock()
		if e.left(now) < experienceLeast {
			n.doubted.Store(false)
			continue
		}
		d.known = append(d.known, doubtful{n, e.took, e.failed})
		d.failed = append(d.failed, e.failed)
		if e.timed > 0 { // one that only fails has no latency that others could be slow against
			d.took = append(d.took, e.took)
		}
	}
	if len(d.known) < 2 {
		for _, k := range d.known {
			k.node.doubted.Store(false)
		}
		return
	}
	took, failed := math.Inf(1), middle(d.failed)
	if len(d.took) > 0 {
		took = middle(d.took)
	}
	for i := range d.known {
		k := &d.known[i]
		k.node.doubted.Store(k.took > slower*took+float64(bias) || k.failed > max(failsOften, failingMore*failed))
		k.node = nil // one that leaves is not kept
	}
}

// middle returns the median, of two the lesser, and sorts.
func middle(values []float64) float64 {
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

// doubtedLast makes the score of a doubted instance worse than all others.
func doubtedLast(n *Node, score float64) float64 {
	if n.doubted.Load() {
		return 1e60 * (1 + score)
	}
	return score
}
