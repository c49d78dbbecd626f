// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"sync"
	"sync/atomic"
)

// otherService stands for the services beyond a bound.
const otherService = "_other"

const (
	// maxNamed is how many services are counted by their own name, in the order in
	// which they come; maxPromoted more when they go over a budget.
	maxNamed    = 256
	maxPromoted = 64
)

// signal is one of the three.
type signal uint8

const (
	signalTraces signal = iota
	signalMetrics
	signalLogs
	signals
)

var signalNames = [signals]string{"traces", "metrics", "logs"}

// outcome is what became of an item, and why.
type outcome uint8

const (
	kept outcome = iota
	droppedBudget
	droppedTenant
	droppedSkewed
	droppedUncarried
	droppedFoldedFull
	droppedMetricsFull
	droppedUnmergeable
	foldedSeries
	foldedMetric
	foldedLabel
	foldedTenant
	foldedMemory
	added
	outcomes
)

// outcomeNames are the values of the attributes outcome and reason.
var outcomeNames = [outcomes][2]string{
	kept:          {"kept", ""},
	droppedBudget: {"dropped", "budget"}, droppedTenant: {"dropped", "tenant"}, droppedSkewed: {"dropped", "skewed"},
	droppedUncarried:   {"dropped", "uncarried"},
	droppedFoldedFull:  {"dropped", "folded_full"},
	droppedMetricsFull: {"dropped", "metrics_full"}, droppedUnmergeable: {"dropped", "unmergeable"},
	foldedSeries: {"folded", "series"}, foldedMetric: {"folded", "metric"}, foldedLabel: {"folded", "label"},
	foldedTenant: {"folded", "tenant"}, foldedMemory: {"folded", "memory"},
	added: {"added", ""},
}

// counts are what is told of a service.
type counts struct {
	tenant, service string
	items           [signals][outcomes]atomic.Int64
	in, out         [signals]atomic.Int64 // bytes
}

// dropped counts what a budget of volume cut.
func (c *counts) dropped(s signal, n int, byTenant bool) {
	if byTenant {
		c.items[s][droppedTenant].Add(int64(n))
	} else {
		c.items[s][droppedBudget].Add(int64(n))
	}
}

// names are the services that are counted by their own name. They stay for ever, so
// that counters do not go back.
type names struct {
	mu    sync.Mutex
	named map[[2]string]*counts
	other *counts
}

func newNames() *names {
	return &names{named: make(map[[2]string]*counts), other: &counts{service: otherService}}
}

// get returns the counts of a service; those of all others when there is no room.
func (n *names) get(tenant, service string, most int) *counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := [2]string{tenant, service}
	if c := n.named[key]; c != nil {
		return c
	}
	if len(n.named) >= most || service == otherService {
		return n.other
	}
	c := &counts{tenant: tenant, service: service}
	n.named[key] = c
	return c
}

// all returns all counts.
func (n *names) all() []*counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := append(make([]*counts, 0, len(n.named)+1), n.other)
	for _, c := range n.named {
		out = append(out, c)
	}
	return out
}
