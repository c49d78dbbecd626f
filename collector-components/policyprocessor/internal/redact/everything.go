// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/entity"
)

// Everything is the field that stands for every place in which text can be: those that
// have fields of their own, and beside them the keys of attributes, a trace's state, a
// record's severity text, a metric's name, description and unit, a scope's name and
// version, a resource's entities, and the URLs of schemas. Where such a place cannot be
// changed but as a whole, as a key, it is removed.
const Everything = "*"

// all makes the rule one of every place.
func (r *Rule) all() {
	r.everything, r.spanName, r.status, r.eventName, r.wholeBody = true, true, true, true, true
	for at := ofAttributes; at < places; at++ {
		r.at[at].prefixes, r.at[at].all = append(r.at[at].prefixes, ""), true
	}
}

// hides reports whether an entry has to go because of its key.
func (r *Rule) hides(key string) bool {
	if !r.everything {
		return false
	}
	_, found := r.text(key)
	return found
}

// Schema applies the rules to the schema URL of resources, or of scopes.
func (s *Set) Schema(of interface {
	SchemaUrl() string
	SetSchemaUrl(string)
}, counts []int) {
	for i, r := range s.rules {
		if r.everything {
			counts[i] += r.stringField(of.SchemaUrl, of.SetSchemaUrl)
		}
	}
}

func (r *Rule) entities(res pcommon.Resource) (n int) {
	if !r.everything {
		return 0
	}
	found := func(s string) bool {
		_, found := r.text(s)
		return found
	}
	entity.ResourceEntityRefs(res).RemoveIf(func(e entity.EntityRef) bool {
		remove := found(e.SchemaUrl()) || found(e.Type())
		for _, keys := range []pcommon.StringSlice{e.IdKeys(), e.DescriptionKeys()} {
			for _, key := range keys.All() {
				remove = remove || found(key)
			}
		}
		if remove {
			n++
		}
		return remove
	})
	return n
}

func (r *Rule) scopeNames(s pcommon.InstrumentationScope) int {
	if !r.everything {
		return 0
	}
	return r.stringField(s.Name, s.SetName) + r.stringField(s.Version, s.SetVersion)
}

func (r *Rule) traceStates(span ptrace.Span) int {
	if !r.everything {
		return 0
	}
	n := r.stringField(span.TraceState().AsRaw, span.TraceState().FromRaw)
	for _, l := range span.Links().All() {
		n += r.stringField(l.TraceState().AsRaw, l.TraceState().FromRaw)
	}
	return n
}

func (r *Rule) metricNames(m pmetric.Metric) int {
	if !r.everything {
		return 0
	}
	return r.stringField(m.Name, m.SetName) + r.stringField(m.Description, m.SetDescription) + r.stringField(m.Unit, m.SetUnit)
}
