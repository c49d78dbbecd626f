// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	vm "github.com/VictoriaMetrics/metrics"
	"go.opentelemetry.io/otel/attribute"
)

// overflow is the series of all beyond a name's bound, named as the OTel SDK does.
var overflow = attribute.NewSet(attribute.Bool("otel.metric.overflow", true))

// kind is what a name counts.
type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

// Set holds instruments by name and attributes. It is a Producer of OpenTelemetry's
// SDK. The zero value is not usable; see [NewSet].
type Set struct {
	scope     string
	maxSeries int

	mu       sync.RWMutex
	families map[string]*family
	ordered  []*family // in the order of their making
	vm       *vm.Set   // the histograms, as h0, h1 and so on: their sums can be read in no other way
	made     int       // histograms so far
}

// family is all series of one name.
type family struct {
	name, unit, description string
	kind                    kind
	promName                string
	series                  map[attribute.Distinct]*series
	ordered                 []*series
}

// series is one instrument.
type series struct {
	attributes attribute.Set
	labels     []string // of Prometheus, in the attributes' order
	values     []string
	counter    *Counter
	gauge      *Gauge
	histogram  *Histogram
	vmName     string // of a histogram

	mu   sync.Mutex // of last, so that two readers agree
	last uint64
}

// SetOption configures [NewSet].
type SetOption func(*Set)

// WithScope sets the instrumentation scope that the metrics leave with; this
// package's path otherwise.
func WithScope(name string) SetOption { return func(s *Set) { s.scope = name } }

// WithMaxSeries sets how many series one name may have ([MaxSeries]).
func WithMaxSeries(n int) SetOption { return func(s *Set) { s.maxSeries = max(n, 1) } }

// NewSet returns an empty set.
func NewSet(opts ...SetOption) *Set {
	s := &Set{
		scope: "github.com/otelplat/platform/otelplat/metrics", maxSeries: MaxSeries,
		families: make(map[string]*family), vm: vm.NewSet(),
	}
	for _, o := range opts {
		o(s)
	}
	return s
}

// Counter returns the counter of a name and attributes, which is made when it is
// asked for first. It returns an [*Error] for what cannot be used, and for a name
// that counts something else already.
func (s *Set) Counter(name string, opts ...Option) (*Counter, error) {
	found, err := s.get(counter, name, opts)
	if err != nil {
		return nil, err
	}
	return found.counter, nil
}

// Gauge is like [Set.Counter] for a gauge.
func (s *Set) Gauge(name string, opts ...Option) (*Gauge, error) {
	found, err := s.get(gauge, name, opts)
	if err != nil {
		return nil, err
	}
	return found.gauge, nil
}

// Histogram is like [Set.Counter] for a histogram.
func (s *Set) Histogram(name string, opts ...Option) (*Histogram, error) {
	found, err := s.get(histogram, name, opts)
	if err != nil {
		return nil, err
	}
	return found.histogram, nil
}

// Must returns the instrument, and panics when there is an error: for variables of a
// package, whose names are constants.
func Must[T any](instrument *T, err error) *T {
	if err != nil {
		panic(err)
	}
	return instrument
}

func (s *Set) get(k kind, name string, opts []Option) (*series, error) {
	id := identity{name: name}
	for _, o := range opts {
		o(&id)
	}
	attributes := attribute.NewSet(id.attributes...)
	s.mu.RLock()
	f := s.families[name]
	if f != nil && f.kind == k && f.unit == id.unit {
		if found := f.series[attributes.Equivalent()]; found != nil {
			s.mu.RUnlock()
			return found, nil
		}
	}
	s.mu.RUnlock()
	labels, err := id.check(attributes)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, err = s.family(k, id); err != nil {
		return nil, err
	}
	// The overflow is one of the bound's series, as in the SDK.
	if _, there := f.series[attributes.Equivalent()]; !there && len(f.series) >= s.maxSeries-1 {
		attributes, labels = overflow, []string{"otel_metric_overflow"}
	}
	if found := f.series[attributes.Equivalent()]; found != nil {
		return found, nil
	}
	return s.add(f, attributes, labels), nil
}

// family returns the family of a name, which is made when it is asked for first.
// The set is locked.
func (s *Set) family(k kind, id identity) (*family, error) {
	if f := s.families[id.name]; f != nil {
		if f.kind != k {
			return nil, invalid("name", "%q is a %s already", id.name, f.kind)
		}
		if f.unit != id.unit {
			return nil, invalid("unit", "%q of %q: it has %q already", id.unit, id.name, f.unit)
		}
		return f, nil
	}
	if len(s.families) >= MaxNames {
		return nil, invalid("names", "are %d already, %q exceeds the limit", MaxNames, id.name)
	}
	f := &family{name: id.name, unit: id.unit, description: id.description, kind: k, series: make(map[attribute.Distinct]*series)}
	var err error
	if f.promName, err = promName(f); err != nil {
		return nil, invalid("name", "%q cannot be one of Prometheus: %v", id.name, err)
	}
	for _, other := range s.ordered {
		if other.promName == f.promName {
			return nil, invalid("name", "%q and %q are the same to Prometheus, %s", id.name, other.name, f.promName)
		}
	}
	s.families[id.name] = f
	s.ordered = append(s.ordered, f)
	return f, nil
}

// add makes a series. The set is locked.
func (s *Set) add(f *family, attributes attribute.Set, labels []string) *series {
	n := &series{attributes: attributes, labels: labels}
	for _, a := range attributes.ToSlice() {
		n.values = append(n.values, a.Value.String())
	}
	now := time.Now().UnixNano()
	switch f.kind {
	case counter:
		n.counter = &Counter{}
		n.counter.began.Store(now)
	case gauge:
		n.gauge = &Gauge{}
	case histogram:
		n.vmName = "h" + strconv.Itoa(s.made)
		s.made++
		n.histogram = &Histogram{h: s.vm.NewHistogram(n.vmName)}
		n.histogram.began.Store(now)
	}
	f.series[attributes.Equivalent()] = n
	f.ordered = append(f.ordered, n)
	return n
}

// each calls f for every series, without a lock held.
func (s *Set) each(f func(*family, []*series)) {
	s.mu.RLock()
	families := s.ordered[:len(s.ordered):len(s.ordered)]
	lists := make([][]*series, len(families))
	for i, family := range families {
		lists[i] = family.ordered[:len(family.ordered):len(family.ordered)]
	}
	s.mu.RUnlock()
	for i, family := range families {
		f(family, lists[i])
	}
}

// String says how much the set holds.
func (s *Set) String() string {
	names, count := 0, 0
	s.each(func(_ *family, list []*series) {
		names++
		count += len(list)
	})
	return fmt.Sprintf("%d names with %d series", names, count)
}
