// SPDX-License-Identifier: Apache-2.0

package series

import (
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	// DefaultWindow is how long a series counts that is not seen any more.
	DefaultWindow = 10 * time.Minute

	// DefaultFolded is how many folded cumulative series one service may have.
	DefaultFolded = 16_384

	maxMetrics   = 10_000 // names of one service
	maxLabels    = 64     // of one metric that are counted
	maxResources = 4096   // of one service that are remembered
	maxTargets   = 4096   // cumulative series of one service that others are folded into

	leastOverflows = 64 // overflow series that a service may have, however few others

	// maxValues is how far the values of a label are counted that has no limit.
	maxValues = 10_000
)

// Limits of one service. A limit of 0 is none.
type Limits struct {
	Series          int
	SeriesPerMetric int
	ValuesPerLabel  int
	Folded          int           // DefaultFolded when 0
	Window          time.Duration // DefaultWindow when 0
}

// Tenant is what the services of one tenant share: the number of their series. A nil
// Tenant has no limit.
type Tenant struct {
	Limit  atomic.Int64 // 0: none
	active atomic.Int64
}

// Active returns the series of all services of the tenant.
func (t *Tenant) Active() int64 { return t.active.Load() }

// take counts one more series if there may be one.
func (t *Tenant) take() bool {
	if t == nil {
		return true
	}
	if limit := t.Limit.Load(); t.active.Add(1) > limit && limit > 0 {
		t.active.Add(-1)
		return false
	}
	return true
}

func (t *Tenant) give(n int) {
	if t != nil {
		t.active.Add(int64(-n))
	}
}

// Service holds the series of one service to its limits. It is safe for concurrent
// use; one batch is worked on at a time.
type Service struct {
	mu         sync.Mutex
	memory     *Memory
	tenant     *Tenant
	limits     Limits
	generation uint32
	fixed      int // bytes taken for what is not in tables

	series  table // owner: the metric
	values  table // owner: the label
	metrics map[string]*metric
	known   owners[*metric]
	labels  owners[*label]

	overflows  table // no owner
	lasts      lasts
	histograms map[uint64]*lastHistogram
	targets    map[uint64]*target
	resources  map[uint64]*resource
	run        run

	histogramsOwed int // histograms that owe
}

// NewService returns a service without series.
func NewService(memory *Memory, tenant *Tenant) *Service {
	return &Service{
		memory: memory, tenant: tenant,
		series: table{memory: memory}, values: table{memory: memory}, overflows: table{memory: memory},
		lasts:      lasts{memory: memory},
		metrics:    make(map[string]*metric),
		histograms: make(map[uint64]*lastHistogram),
		targets:    make(map[uint64]*target),
		resources:  make(map[uint64]*resource),
	}
}

// Active returns the number of series.
func (s *Service) Active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.series.used
}

// Bytes returns the estimate of the memory that the service takes.
func (s *Service) Bytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return (len(s.series.slots)+len(s.values.slots)+len(s.overflows.slots))*slotSize + len(s.lasts.slots)*lastSize + s.fixed
}

// Close gives back what the service has taken.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenant.give(s.series.used)
	s.series.free()
	s.values.free()
	s.overflows.free()
	s.lasts.free()
	s.memory.give(s.fixed)
	s.fixed = 0
}

// fix takes memory for something that is not in a table.
func (s *Service) fix(n int) bool {
	if !s.memory.take(n) {
		return false
	}
	s.fixed += n
	return true
}

func (s *Service) unfix(n int) {
	s.fixed -= n
	s.memory.give(n)
}

// pass takes out what was not seen for a window. Generations are half a window, so
// that a series counts for half of it at least and all of it at most.
func (s *Service) pass(now time.Duration, limits Limits) {
	if limits.Window <= 0 {
		limits.Window = DefaultWindow
	}
	if limits.Folded <= 0 {
		limits.Folded = DefaultFolded
	}
	s.limits, s.lasts.most = limits, limits.Folded
	generation := uint32(now/(limits.Window/2)) + 1
	if generation <= s.generation {
		return
	}
	s.generation = generation
	before := generation - 1
	had := s.series.used
	s.series.sweep(before, func(owner uint32) { s.known.all[owner].active-- })
	s.tenant.give(had - s.series.used)
	s.values.sweep(before, func(owner uint32) { s.labels.all[owner].values-- })
	s.overflows.sweep(before, func(uint32) {})
	s.lasts.sweep(before)
	for name, m := range s.metrics {
		if m.generation < before && m.active == 0 {
			s.forget(name, m)
		}
	}
	for h, l := range s.histograms {
		if l.generation < before {
			l.pay(s)
			delete(s.histograms, h)
			s.unfix(l.size)
		}
	}
	for h, t := range s.targets {
		if t.generation < before {
			delete(s.targets, h)
			s.unfix(t.size)
		}
	}
	for h, r := range s.resources {
		if r.generation < before {
			delete(s.resources, h)
			s.unfix(resourceSize)
		}
	}
}

// verdict is what becomes of a data point.
type verdict uint8

const (
	admitted verdict = iota
	relabel          // a label has too many values
	overMetric
	overService
	overTenant
	overMemory
)

// admit says whether a series may be one of its own. over are the labels that have
// no room for its values, by their place in the attributes.
func (s *Service) admit(m *metric, hash uint64, attributes pcommon.Map) (v verdict, over uint64) {
	if at := s.series.find(whole(hash)); at != nil && at.generation == s.generation {
		return admitted, 0
	} else if at == nil {
		if over = s.over(m, attributes); over != 0 {
			return relabel, over
		}
	}
	return s.enter(m, hash, attributes, 0), 0
}

// enter makes a series one of the service if there is room, and counts the values of
// its labels, but for those that are over, once in a generation.
func (s *Service) enter(m *metric, hash uint64, attributes pcommon.Map, over uint64) verdict {
	hash = whole(hash)
	if at := s.series.find(hash); at != nil {
		if at.generation != s.generation {
			at.generation = s.generation
			s.touch(m, attributes, over)
		}
		return admitted
	}
	switch {
	case s.limits.SeriesPerMetric > 0 && m.active >= s.limits.SeriesPerMetric:
		return overMetric
	case s.limits.Series > 0 && s.series.used >= s.limits.Series:
		return overService
	case !s.tenant.take():
		return overTenant
	case !s.series.add(slot{hash, m.index, s.generation}):
		s.tenant.give(1)
		return overMemory
	}
	m.active++
	s.touch(m, attributes, over)
	return admitted
}

// overflowing says whether there may be this overflow series: each resource and
// metric has one of its own, so that they are bounded too, to a tenth of the series.
func (s *Service) overflowing(hash uint64) bool {
	hash = whole(hash)
	if at := s.overflows.find(hash); at != nil {
		at.generation = s.generation
		return true
	}
	most := maxTargets
	if s.limits.Series > 0 {
		most = min(most, max(leastOverflows, s.limits.Series/10))
	}
	return s.overflows.used < most && s.overflows.add(slot{hash: hash, generation: s.generation})
}
