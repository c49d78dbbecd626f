// SPDX-License-Identifier: Apache-2.0

package series

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// otherValue is what the values of a label become that are beyond its limit.
const otherValue = "_other"

// metric is one name of a service: how many series it has, and its labels.
type metric struct {
	name       string
	index      uint32
	seed       uint64
	generation uint32
	active     int
	folded     int64 // points since it is known
	labels     []*label
}

// label is a key of the attributes of one metric's data points.
type label struct {
	name   string
	index  uint32
	values int
	over   int64 // points whose value was beyond the limit
}

const (
	metricSize = 256 // with its place in the map, but without the name
	labelSize  = 96
)

// owners gives those to whom entries of a table belong a number that fits into them.
type owners[T any] struct {
	all  []T
	free []uint32
}

func (o *owners[T]) add(v T) uint32 {
	if n := len(o.free); n > 0 {
		i := o.free[n-1]
		o.free = o.free[:n-1]
		o.all[i] = v
		return i
	}
	o.all = append(o.all, v)
	return uint32(len(o.all) - 1)
}

func (o *owners[T]) remove(i uint32) {
	var none T
	o.all[i] = none
	o.free = append(o.free, i)
}

// metric returns what is known of a name; nil when there is no room for another.
func (s *Service) metric(name string) *metric {
	if m := s.metrics[name]; m != nil {
		m.generation = s.generation
		return m
	}
	if len(s.metrics) >= maxMetrics || !s.fix(metricSize+len(name)) {
		return nil
	}
	m := &metric{name: name, seed: String(name), generation: s.generation}
	m.index = s.known.add(m)
	s.metrics[name] = m
	return m
}

// forget takes a metric out that has no series any more. Values of its labels were
// seen with its series, so that none are left either.
func (s *Service) forget(name string, m *metric) {
	for _, l := range m.labels {
		if l.values > 0 {
			return // the next sweep takes them
		}
	}
	for _, l := range m.labels {
		s.labels.remove(l.index)
		s.unfix(labelSize + len(l.name))
	}
	s.known.remove(m.index)
	delete(s.metrics, name)
	s.unfix(metricSize + len(name))
}

// label returns what is known of a key; nil when there is no room for another.
func (s *Service) label(m *metric, key string) *label {
	for _, l := range m.labels {
		if l.name == key {
			return l
		}
	}
	if len(m.labels) >= maxLabels || !s.fix(labelSize+len(key)) {
		return nil
	}
	l := &label{name: key}
	l.index = s.labels.add(l)
	m.labels = append(m.labels, l)
	return l
}

// valueHash is that of a label's value in a metric.
func valueHash(m *metric, key string, v pcommon.Value) uint64 {
	return whole(Combine(m.seed, attribute(key, v)))
}

// over returns the labels that have no room for these values, by their place.
func (s *Service) over(m *metric, attributes pcommon.Map) (over uint64) {
	if s.limits.ValuesPerLabel <= 0 {
		return 0
	}
	i := 0
	for k, v := range attributes.All() {
		if l := s.label(m, k); l != nil && i < 64 && l.values >= s.limits.ValuesPerLabel && s.values.find(valueHash(m, k, v)) == nil {
			over |= 1 << i
			l.over++
		}
		i++
	}
	return over
}

// touch counts the values of a series that was seen for the first time in this
// generation, but for those over their label's limit.
func (s *Service) touch(m *metric, attributes pcommon.Map, over uint64) {
	most := s.limits.ValuesPerLabel
	if most <= 0 {
		most = maxValues
	}
	i := 0
	for k, v := range attributes.All() {
		skip := over>>i&1 != 0
		i++
		l := s.label(m, k)
		if l == nil || skip {
			continue
		}
		h := valueHash(m, k, v)
		if at := s.values.find(h); at != nil {
			at.generation = s.generation
		} else if l.values < most && s.values.add(slot{h, l.index, s.generation}) {
			l.values++
		}
	}
}

// Offender is a metric, or a label of one, with how many series or values it has and
// how many points were folded because of it.
type Offender struct {
	Metric, Label string
	Active        int
	Folded        int64
}

// Offenders returns the metrics with the most series, then the labels with the most
// values, at most n of each.
func (s *Service) Offenders(n int) (metrics, labels []Offender) {
	s.mu.Lock()
	for _, m := range s.metrics {
		metrics = append(metrics, Offender{Metric: m.name, Active: m.active, Folded: m.folded})
		for _, l := range m.labels {
			labels = append(labels, Offender{Metric: m.name, Label: l.name, Active: l.values, Folded: l.over})
		}
	}
	s.mu.Unlock()
	return top(metrics, n), top(labels, n)
}

func top(all []Offender, n int) []Offender {
	slices.SortFunc(all, func(a, b Offender) int {
		return cmp.Or(cmp.Compare(b.Active, a.Active), cmp.Compare(b.Folded, a.Folded), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Label, b.Label))
	})
	out := slices.Clone(all[:min(n, len(all))])
	for i := range out { // they are told, and telemetry takes no invalid UTF-8
		out[i].Metric, out[i].Label = strings.ToValidUTF8(out[i].Metric, "\uFFFD"), strings.ToValidUTF8(out[i].Label, "\uFFFD")
	}
	return out
}
