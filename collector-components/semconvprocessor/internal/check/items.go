// SPDX-License-Identifier: Apache-2.0

package check

import (
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Span checks a span with its events and links, and returns why it has to go; None
// when it does not.
func (c *Checker) Span(s ptrace.Span) finding.ID {
	c.reset()
	c.signal, c.kind = finding.Span, s.Kind()
	clear(c.present)
	c.spans = c.spans[:0]
	c.attributes(s.Attributes())
	if len(c.spans) > 0 {
		c.spanTypes()
	}
	for i := range s.Events().Len() {
		c.spanEvent(s.Events().At(i))
	}
	c.signal = finding.Span
	for i := range s.Links().Len() {
		if m := s.Links().At(i).Attributes(); m.Len() > 0 {
			c.attributes(m)
		}
	}
	c.annotateItem(s.Attributes())
	return c.end()
}

// spanTypes checks a span as each type that it is known as.
func (c *Checker) spanTypes() {
	matched := false
	for i, s := range c.spans {
		if s.kind != ptrace.SpanKindUnspecified && s.kind != c.kind {
			continue
		}
		matched = true
		if !earlier(c.spans[:i], s) {
			c.requirements(s)
		}
	}
	if !matched {
		c.found(c.spans[0].otherKind, "", nil)
	}
}

// earlier reports whether a type is in a list: a span may be known as one by more
// than one attribute.
func earlier(list []*signal, s *signal) bool {
	for _, other := range list {
		if other == s {
			return true
		}
	}
	return false
}

func (c *Checker) spanEvent(e ptrace.SpanEvent) {
	c.signal = finding.Log
	known := c.rules.events[e.Name()] // of spans' events only some have conventions
	if known == nil {
		c.attributes(e.Attributes())
		return
	}
	c.event(known, e.Attributes())
}

// event checks an event of the registry.
func (c *Checker) event(s *signal, m pcommon.Map) {
	if !s.seen.Load() {
		s.seen.Store(true)
	}
	clear(c.present)
	c.attributes(m)
	for _, site := range s.static {
		c.found(site, "", nil)
	}
	c.requirements(s)
}

// Log checks a log record, which is an event when it has a name, and returns why
// it has to go; None when it does not.
func (c *Checker) Log(l plog.LogRecord) finding.ID {
	c.reset()
	c.signal = finding.Log
	name := l.EventName()
	known := c.rules.events[name]
	switch {
	case name == "":
		c.attributes(l.Attributes())
	case known != nil:
		c.event(known, l.Attributes())
	default:
		c.attributes(l.Attributes())
		c.unregistered(finding.MissingEvent, name)
	}
	c.annotateItem(l.Attributes())
	return c.end()
}

// unregistered checks the name of a metric or an event that the registry does not
// know.
func (c *Checker) unregistered(missing finding.ID, name string) {
	if p, _ := c.rules.under(name); !p.allowed {
		c.unnamed(missing, name)
	}
	if !wellFormed(name) {
		c.unnamed(finding.InvalidFormat, name)
	}
}

// annotateItem annotates what stays.
func (c *Checker) annotateItem(m pcommon.Map) {
	if c.drop == finding.None {
		c.annotate(m)
	}
}

// end counts the item.
func (c *Checker) end() finding.ID {
	c.Items[c.highest]++
	if c.drop != finding.None {
		c.Done[DropItem][c.drop]++
	}
	return c.drop
}
