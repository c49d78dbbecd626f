// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"math"

	"github.com/otelplat/platform/collector-components/internal/tracestate"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/setting"
	"github.com/otelplat/platform/policy/compile"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

type spanItem struct{ ptrace.Span }

var spanFields = []string{"attributes", "duration_ns", "events", "kind", "links", "name", "root", "status"}

func (s *spanItem) names() []string                    { return spanFields }
func (s *spanItem) attributes() pcommon.Map            { return s.Attributes() }
func (s *spanItem) notes() pcommon.Map                 { return s.Attributes() }
func (s *spanItem) redact(r *redact.Set, counts []int) { r.Span(s.Span, counts) }
func (s *spanItem) assign(f *setting.Fields) int       { return f.Span(s.Span) }

func (s *spanItem) value(name string) any {
	switch name {
	case "name":
		return s.Name()
	case "kind":
		return spanKind(s.Kind())
	case "status":
		return document{"code": statusCode(s.Status().Code()), "message": s.Status().Message()}
	case "duration_ns":
		return s.duration()
	case "root":
		return s.ParentSpanID().IsEmpty()
	case "attributes":
		return plainMap(s.Attributes())
	case "events":
		return s.events()
	case "links":
		return s.links()
	}
	return nil
}

// duration is 0 for a span whose clock went backwards.
func (s *spanItem) duration() int64 {
	begin, end := s.StartTimestamp(), s.EndTimestamp()
	if end < begin {
		return 0
	}
	return int64(min(end-begin, math.MaxInt64)) //nolint:gosec // bounded
}

func (s *spanItem) events() []any {
	list := make([]any, 0, s.Events().Len())
	for _, e := range s.Events().All() {
		list = append(list, document{"name": e.Name(), "attributes": plainMap(e.Attributes())})
	}
	return list
}

func (s *spanItem) links() []any {
	list := make([]any, 0, s.Links().Len())
	for _, l := range s.Links().All() {
		list = append(list, document{"attributes": plainMap(l.Attributes())})
	}
	return list
}

func (s *spanItem) field(name string, key []byte) []byte {
	switch name {
	case "name":
		return appendText(key, s.Name())
	case "kind":
		return append(key, byte(s.Kind())) //nolint:gosec // a key: spans of unknown kinds are the same to rules
	case "status":
		return appendText(append(key, byte(s.Status().Code())), s.Status().Message()) //nolint:gosec // likewise
	case "duration_ns":
		return appendInt(key, s.duration())
	case "root":
		if s.ParentSpanID().IsEmpty() {
			return append(key, 1)
		}
		return append(key, 0)
	case "events":
		key = appendInt(key, int64(s.Events().Len()))
		for _, e := range s.Events().All() {
			key = appendMap(appendText(key, e.Name()), e.Attributes())
		}
	case "links":
		key = appendInt(key, int64(s.Links().Len()))
		for _, l := range s.Links().All() {
			key = appendMap(key, l.Attributes())
		}
	}
	return key
}

func (s *spanItem) member(name string) compile.Value {
	switch name {
	case "name":
		return compile.Text(s.Name())
	case "kind":
		return compile.Text(spanKind(s.Kind()))
	case "duration_ns":
		return compile.Integer(s.duration())
	case "root":
		return compile.Boolean(s.ParentSpanID().IsEmpty())
	case "events":
		return compile.Of(s.events())
	case "links":
		return compile.Of(s.links())
	}
	return compile.Value{}
}

// sample honours and writes the threshold in the tracestate. A span without a trace id
// has no randomness, and stays.
func (s *spanItem) sample(threshold uint64) (keep bool) {
	if s.TraceID().IsEmpty() {
		return true
	}
	state := s.TraceState().AsRaw()
	d := tracestate.Decide(state, s.TraceID(), threshold)
	if d.Changed {
		s.TraceState().FromRaw(tracestate.WithThreshold(state, threshold))
	}
	return d.Keep
}
