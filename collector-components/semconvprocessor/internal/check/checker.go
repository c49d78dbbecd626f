// SPDX-License-Identifier: Apache-2.0

package check

import (
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Checker checks item after item. It is used by one goroutine at a time, and again
// and again; [Checker.Begin] comes first.
type Checker struct {
	Tally finding.Tally

	// Items counts those that were checked by the highest level of what was found;
	// those without a finding, or whose findings are switched off, are at Off.
	Items [finding.Levels]int64

	// Done and Skipped count what was enforced, and what could not be.
	Done, Skipped [Actions][finding.IDs]int64

	rules   *Rules
	enforce *Enforcement // nil: only reported
	points  bool         // of metrics: attributes are parts of a series' identity

	// Of the item at hand.
	signal  finding.Signal
	kind    ptrace.SpanKind
	present []uint64 // attributes of the registry
	spans   []*signal
	highest finding.Level
	drop    finding.ID
	marks   uint32 // ids to annotate
	acts    []act
	at      points // of the metric at hand
}

// Begin prepares for a batch. Without an enforcement nothing is changed.
func (c *Checker) Begin(r *Rules, e *Enforcement, metrics bool) {
	if c.rules != r {
		c.rules = r
		c.present = make([]uint64, r.words)
	}
	c.enforce, c.points = e, metrics
	c.Tally.Begin(r.sites)
	c.Items = [finding.Levels]int64{}
	if e != nil {
		c.Done, c.Skipped = [Actions][finding.IDs]int64{}, [Actions][finding.IDs]int64{}
	}
	c.reset()
}

// reset forgets the item at hand.
func (c *Checker) reset() {
	c.highest, c.drop, c.marks = finding.Off, finding.None, 0
	c.kind = ptrace.SpanKindUnspecified
}

// Resource checks a resource, and returns why all that is in it has to go; None
// when it does not.
func (c *Checker) Resource(m pcommon.Map) finding.ID {
	c.reset()
	c.signal = finding.Resource
	clear(c.present)
	c.attributes(m)
	if c.rules.resource != nil {
		c.requirements(c.rules.resource)
	}
	if c.points {
		c.unmarked()
	} else {
		c.annotate(m)
	}
	return c.drop
}

// Scope checks the attributes of an instrumentation scope.
func (c *Checker) Scope(m pcommon.Map, s finding.Signal) finding.ID {
	if m.Len() == 0 {
		return finding.None
	}
	c.reset()
	c.signal = s
	c.attributes(m)
	if c.points {
		c.unmarked()
	} else {
		c.annotate(m)
	}
	return c.drop
}

// DropAll counts items that go with their resource or scope, unchecked.
func (c *Checker) DropAll(id finding.ID, n int) {
	c.Items[finding.Violation] += int64(n)
	c.Done[DropItem][id] += int64(n)
}

// attributes checks all of a map, and then does what is to be enforced on it.
func (c *Checker) attributes(m pcommon.Map) {
	r := c.rules
	for key, value := range m.All() {
		if a := r.names.find(key); a != nil {
			c.known(a, key, value)
		} else {
			c.unknown(key, value)
		}
	}
	if len(c.acts) > 0 {
		c.act(m)
	}
}

// known checks an attribute of the registry.
func (c *Checker) known(a *attribute, key string, v pcommon.Value) {
	c.present[a.word] |= a.bit
	if !a.seen.Load() {
		a.seen.Store(true)
	}
	if len(a.spans) > 0 && c.signal == finding.Span {
		c.spans = append(c.spans, a.spans...)
	}
	by := &a.by[c.signal]
	for _, site := range by.static {
		c.found(site, key, a)
	}
	if v.Type() != a.plain && !a.fits(v) {
		c.found(by.mismatch, key, a)
	} else if by.undefined != 0 && !a.member(v) {
		c.found(by.undefined, key, a)
	}
}

// unknown checks an attribute that the registry does not have by its whole name.
func (c *Checker) unknown(key string, v pcommon.Value) {
	p, namespaced := c.rules.under(key)
	if p.template != nil {
		c.known(p.template, key, v)
		return
	}
	if !p.allowed {
		c.other(finding.MissingAttribute, key)
		if p.attribute {
			c.other(finding.IllegalNamespace, key)
		}
		if p.namespace {
			c.other(finding.ExtendsNamespace, key)
		}
	}
	if !namespaced {
		c.other(finding.MissingNamespace, key)
	}
	if !wellFormed(key) {
		c.other(finding.InvalidFormat, key)
	}
}

// requirements looks for what should be there.
func (c *Checker) requirements(s *signal) {
	for i := range s.required {
		if q := &s.required[i]; c.present[q.word]&q.bit == 0 {
			c.found(q.site, "", nil)
		}
	}
}

// found counts a finding that the registry foresees. A key is that of the
// attribute at hand, which can be renamed or dropped.
func (c *Checker) found(site finding.Site, key string, a *attribute) {
	level := c.Tally.Foreseen(site)
	if level == finding.Off {
		return
	}
	c.highest = max(c.highest, level)
	if c.enforce != nil {
		c.plan(c.rules.sites[site].ID, level, key, a)
	}
}

// other counts a finding about an attribute that the registry does not know.
func (c *Checker) other(id finding.ID, key string) {
	level := c.rules.levels.of(c.signal, id, key)
	if level == finding.Off {
		return
	}
	c.Tally.Other(finding.Key{ID: id, Level: level, Signal: c.signal, Name: key})
	c.highest = max(c.highest, level)
	if c.enforce != nil {
		c.plan(id, level, key, nil)
	}
}

// unnamed counts a finding about a metric or an event that the registry does not
// know.
func (c *Checker) unnamed(id finding.ID, name string) {
	level := c.rules.levels.of(c.signal, id, name)
	if level == finding.Off {
		return
	}
	c.Tally.Other(finding.Key{ID: id, Level: level, Signal: c.signal, Name: name, Of: name})
	c.highest = max(c.highest, level)
	if c.enforce != nil {
		c.plan(id, level, "", nil)
	}
}
