// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"slices"

	"github.com/otelplat/platform/collector-components/policyprocessor/internal/redact"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// apply does to an item that is not dropped what the rules say, in the order of their
// kinds, and says whether it is to be removed after all: sampled out, or because a rule
// failed without which a secret could pass, or reach somebody else's pipeline.
func (p *place) apply(it item) (remove bool) {
	for _, k := range p.book.changing {
		if q := p.failed[k]; q != nil && k.closed() {
			p.report.act(drop, q.failing(), reasonEvaluation)
			return true
		}
	}
	for _, r := range p.found[observe] {
		p.report.act(observe, r.name, reasonRule)
	}
	if r := strictest(p.found[sample]); r != nil && !it.sample(r.threshold) {
		p.report.act(sample, r.name, reasonRule)
		return true
	}
	p.redact(it)
	for _, r := range p.found[assign] {
		if r.dryRun {
			continue
		}
		p.did(it.assign(r.assign), r)
		if r.assign.OfPlace() {
			p.ofResource, p.ofScope = note(p.ofResource, r), note(p.ofScope, r)
		}
	}
	p.route(it)
	p.annotate(it)
	return false
}

// redact applies the redactions that act, together. Items one after another mostly have
// the same.
func (p *place) redact(it item) {
	if len(p.found[redaction]) == 0 {
		return
	}
	if !slices.Equal(p.redactions.found, p.found[redaction]) {
		p.redactions = newRedactions(p.found[redaction])
	}
	d := &p.redactions
	if len(d.rules) == 0 {
		return
	}
	clear(d.counts)
	it.redact(d.set, d.counts)
	for i, n := range d.counts {
		if n > 0 {
			p.did(n, d.rules[i])
		}
	}
	if !d.noted {
		d.noted = true
		for _, r := range d.rules {
			p.ofResource, p.ofScope = note(p.ofResource, r), note(p.ofScope, r)
		}
	}
}

// redactions are those of an item, and what they count in.
type redactions struct {
	found  []*rule
	rules  []*rule // those that act
	set    *redact.Set
	counts []int
	noted  bool // for the resource and the scope at hand
}

func newRedactions(found []*rule) redactions {
	d := redactions{found: slices.Clone(found)}
	var list []*redact.Rule
	for _, r := range found {
		if !r.dryRun {
			d.rules, list = append(d.rules, r), append(list, r.redact.Rule(0))
		}
	}
	d.set, d.counts = redact.NewSet(list...), make([]int, len(list))
	return d
}

// strictest returns the acting rule that keeps least.
func strictest(list []*rule) (least *rule) {
	for _, r := range list {
		if !r.dryRun && (least == nil || r.threshold > least.threshold) {
			least = r
		}
	}
	return least
}

// route writes the route, for the connector behind.
func (p *place) route(it item) {
	if r := acting(p.found[route]); r != nil {
		it.notes().PutStr(semconv.TelemetryRoute, r.name)
		p.report.act(route, r.name, reasonRule)
	}
}

// annotate tells on the item what rules would have done that do not act.
func (p *place) annotate(it item) {
	if !p.book.dry {
		return
	}
	for k := range kinds {
		for _, r := range p.found[k] {
			if !r.dryRun || k == observe || k == keep {
				continue
			}
			v, ok := it.notes().Get(semconv.PolicyDryRun)
			if !ok {
				v = it.notes().PutEmpty(semconv.PolicyDryRun)
			}
			if v.Type() != pcommon.ValueTypeSlice {
				v.SetEmptySlice()
			}
			if what := k.String() + ":" + r.name; v.Slice().Len() < maxDryRuns {
				v.Slice().AppendEmpty().SetStr(what)
			}
			p.report.act(k, r.name, reasonDryRun)
		}
	}
}

// maxDryRuns bounds the annotation.
const maxDryRuns = 32

func note(list []*rule, r *rule) []*rule {
	if slices.Contains(list, r) {
		return list
	}
	return append(list, r)
}
