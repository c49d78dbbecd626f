// SPDX-License-Identifier: Apache-2.0

package check

import (
	"maps"
	"sync/atomic"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/registry"
)

// inherit keeps what was seen.
func (r *Rules) inherit(before *Rules) {
	if before == nil {
		return
	}
	for key, a := range before.attributes {
		if now := r.attributes[key]; now != nil && a.seen.Load() {
			now.seen.Store(true)
		}
	}
	for _, pair := range [][2]map[string]*signal{{before.metrics, r.metrics}, {before.events, r.events}} {
		for key, s := range pair[0] {
			if now := pair[1][key]; now != nil && s.seen.Load() {
				now.seen.Store(true)
			}
		}
	}
}

// Coverage is how much of the registry telemetry makes use of. Deprecated entries
// are not counted: what nobody uses is well.
type Coverage struct{ Entries, Seen int64 }

// Ratio is the share of the entries that was seen.
func (c Coverage) Ratio() float64 {
	if c.Entries == 0 {
		return 0
	}
	return float64(c.Seen) / float64(c.Entries)
}

// Coverage returns that of the attributes, metrics and events.
func (r *Rules) Coverage() (attributes, metrics, events Coverage) {
	add := func(to *Coverage, deprecated *registry.Deprecation, seen *atomic.Bool) {
		if deprecated == nil {
			to.Entries++
			if seen.Load() {
				to.Seen++
			}
		}
	}
	for a := range maps.Values(r.attributes) {
		add(&attributes, a.def.Deprecated, &a.seen)
	}
	for s := range maps.Values(r.metrics) {
		add(&metrics, s.def.Deprecated, &s.seen)
	}
	for s := range maps.Values(r.events) {
		add(&events, s.def.Deprecated, &s.seen)
	}
	return attributes, metrics, events
}

// Advice says what to use in place of what a finding is about; empty where the
// registry does not say.
func (r *Rules) Advice(k *finding.Key) string {
	var d *registry.Deprecation
	if key := k.Attribute(); key != "" {
		if a := r.attributes[key]; a != nil {
			d = a.def.Deprecated
		}
	} else if s := r.metrics[k.Name]; s != nil && k.Signal == finding.Metric {
		d = s.def.Deprecated
	} else if s := r.events[k.Name]; s != nil && k.Signal == finding.Log {
		d = s.def.Deprecated
	}
	if d == nil || k.ID != finding.Deprecated {
		return ""
	}
	return d.Advice()
}
