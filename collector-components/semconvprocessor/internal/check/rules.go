// SPDX-License-Identifier: Apache-2.0

// Package check compares telemetry with a registry of conventions, item by item.
// A registry is compiled to tables of names once; then a span of ten attributes
// takes a few hundred nanoseconds and no allocation. It has no clock, no goroutine
// and no lock.
package check

import (
	"strings"
	"sync/atomic"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/registry"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Rules are a registry, compiled. They are safe for concurrent use and do not
// change, but for which of their entries were seen.
type Rules struct {
	Version string

	attributes map[string]*attribute
	names      table // of the attributes that are no templates
	prefixes   map[string]prefix
	metrics    map[string]*signal
	events     map[string]*signal
	resource   *signal
	levels     levels
	sites      []finding.Key
	words      int // of a set of attributes
}

// attribute is an attribute of the registry. What every check reads comes first, to
// be in one line of the processor's cache.
type attribute struct {
	bit   uint64 // of its bit in a set of attributes
	word  int32
	plain pcommon.ValueType // of the value that fits without a further look; empty: none does
	seen  atomic.Bool
	by    [finding.Signals]findings

	def   *registry.AttributeDef
	spans []*signal // types of spans that are known by it
}

// findings are what can be found about an attribute of one signal.
type findings struct {
	static    []finding.Site // wherever it is
	mismatch  finding.Site
	undefined finding.Site
}

// signal is a type of span, a metric, an event or the resource.
type signal struct {
	def      *registry.SignalDef
	seen     atomic.Bool
	kind     ptrace.SpanKind // unspecified: any
	required []requirement

	static                      []finding.Site // found wherever it is
	unit, instrument, valueType finding.Site
	otherKind                   finding.Site
}

// requirement is an attribute that has to be there.
type requirement struct {
	bit  uint64
	word int32
	site finding.Site
}

var spanKinds = map[string]ptrace.SpanKind{
	"internal": ptrace.SpanKindInternal, "server": ptrace.SpanKindServer, "client": ptrace.SpanKindClient,
	"producer": ptrace.SpanKindProducer, "consumer": ptrace.SpanKindConsumer,
}

// kindName returns the name of a kind; empty for one that has none.
func kindName(kind ptrace.SpanKind) string {
	switch kind {
	case ptrace.SpanKindInternal:
		return "internal"
	case ptrace.SpanKindServer:
		return "server"
	case ptrace.SpanKindClient:
		return "client"
	case ptrace.SpanKindProducer:
		return "producer"
	case ptrace.SpanKindConsumer:
		return "consumer"
	}
	return ""
}

// Compile makes rules of definitions. What before has seen of the same names
// counts as seen; it may be nil.
func Compile(d *registry.Definitions, before *Rules) *Rules {
	r := &Rules{
		Version:    d.Version,
		attributes: make(map[string]*attribute, len(d.Attributes)),
		prefixes:   make(map[string]prefix),
		metrics:    make(map[string]*signal, len(d.Metrics)),
		events:     make(map[string]*signal, len(d.Events)),
		levels:     newLevels(d.Levels),
		sites:      make([]finding.Key, 1),
		words:      (len(d.Attributes) + 63) / 64,
	}
	for i, a := range d.Attributes {
		r.attributes[a.Key] = r.attribute(a, i)
	}
	plain := make(map[string]*attribute, len(r.attributes))
	for key, a := range r.attributes {
		if !a.def.Template {
			plain[key] = a
		}
	}
	r.names = newTable(plain)
	for _, n := range d.Namespaces {
		n = strings.TrimSuffix(strings.TrimSuffix(n, "*"), ".")
		p := r.prefixes[n]
		p.allowed = true
		r.prefixes[n] = p
	}
	for _, s := range d.Spans {
		c := r.signal(s, finding.Span)
		c.kind = spanKinds[s.Kind]
		c.otherKind = r.site(finding.KindMismatch, finding.Span, s.Name, "")
		for _, key := range s.Match {
			a := r.attributes[key]
			a.spans = append(a.spans, c)
		}
	}
	for _, s := range d.Metrics {
		c := r.signal(s, finding.Metric)
		c.unit = r.site(finding.UnitMismatch, finding.Metric, s.Name, s.Name)
		c.instrument = r.site(finding.UnexpectedInstrument, finding.Metric, s.Name, s.Name)
		c.valueType = r.site(finding.TypeMismatch, finding.Metric, s.Name, s.Name)
		r.metrics[s.Name] = c
	}
	for _, s := range d.Events {
		r.events[s.Name] = r.signal(s, finding.Log)
	}
	if d.Resource != nil {
		r.resource = r.signal(d.Resource, finding.Resource)
	}
	r.inherit(before)
	return r
}

// site numbers a finding that the registry foresees; 0 when it is switched off.
func (r *Rules) site(id finding.ID, s finding.Signal, name, of string) finding.Site {
	level := r.levels.of(s, id, name)
	if level == finding.Off {
		return 0
	}
	r.sites = append(r.sites, finding.Key{ID: id, Level: level, Signal: s, Name: name, Of: of})
	return finding.Site(len(r.sites) - 1)
}

func (r *Rules) attribute(d *registry.AttributeDef, index int) *attribute {
	a := &attribute{def: d, word: int32(index / 64), bit: 1 << (index % 64), plain: plain(d)}
	for s := range finding.Signals {
		add := func(id finding.ID) {
			if site := r.site(id, s, d.Key, ""); site != 0 {
				a.by[s].static = append(a.by[s].static, site)
			}
		}
		switch {
		case d.Deprecated != nil:
			add(finding.Deprecated) // which says enough of its stability
		case unstable(d.Stability):
			add(finding.NotStable)
		}
		if d.Template {
			add(finding.TemplateAttribute)
		}
		if d.Base != registry.Any {
			a.by[s].mismatch = r.site(finding.TypeMismatch, s, d.Key, "")
		}
		if len(d.Texts)+len(d.Numbers) > 0 {
			a.by[s].undefined = r.site(finding.UndefinedEnumVariant, s, d.Key, "")
		}
	}
	r.prefix(a)
	return a
}

// prefix notes the namespaces of an attribute, and itself as one.
func (r *Rules) prefix(a *attribute) {
	key := a.def.Key
	p := r.prefixes[key]
	if a.def.Template {
		p.template = a
	} else {
		p.attribute = a.def.Deprecated == nil
	}
	r.prefixes[key] = p
	for i := range len(key) {
		if key[i] == '.' && a.def.Deprecated == nil {
			p := r.prefixes[key[:i]]
			p.namespace = true
			r.prefixes[key[:i]] = p
		}
	}
}

func (r *Rules) signal(d *registry.SignalDef, s finding.Signal) *signal {
	c := &signal{def: d}
	add := func(id finding.ID) {
		if site := r.site(id, s, d.Name, d.Name); site != 0 {
			c.static = append(c.static, site)
		}
	}
	switch {
	case s == finding.Span || s == finding.Resource: // weaver does not ask it of them either
	case d.Deprecated != nil:
		add(finding.Deprecated)
	case unstable(d.Stability):
		add(finding.NotStable)
	}
	for _, q := range d.Attributes {
		a := r.attributes[q.Key]
		if site := r.site(q.Lack, s, q.Key, d.Name); site != 0 {
			c.required = append(c.required, requirement{a.bit, a.word, site})
		}
	}
	return c
}

func unstable(stage string) bool { return stage != "" && stage != "stable" }
