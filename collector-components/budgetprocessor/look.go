// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// topOffenders is how many metrics and labels are told of a service.
const topOffenders = 10

// look is what happens once a second: services that are gone are forgotten, and what
// came near to a budget, went over it or is within it again is told.
func (l *ledger) look(ctx context.Context) {
	l.forget()
	accounts, tenants := l.holders()
	for _, a := range accounts {
		f := l.limits(&a.holder)
		l.volumes(ctx, &a.holder, f, func() { l.promote(a) })
		w := &a.watches[seriesCount]
		active := float64(a.series.Active())
		if t := w.look(active, float64(a.folded.Load()), f.of[seriesCount]); t != none {
			l.promote(a)
			l.tel.tell(ctx, t, excess{&a.holder, seriesCount, active, f.of[seriesCount], w, offenders(a)})
		}
	}
	for _, t := range tenants {
		f := l.limits(&t.holder)
		l.volumes(ctx, &t.holder, f, func() {})
		w := &t.watches[seriesCount]
		active := float64(t.series.Active())
		if turn := w.look(active, float64(t.folded.Load()), f.of[seriesCount]); turn != none {
			l.tel.tell(ctx, turn, excess{&t.holder, seriesCount, active, f.of[seriesCount], w, nil})
		}
	}
}

// volumes looks at the budgets of volume of one holder.
func (l *ledger) volumes(ctx context.Context, h *holder, f *inForce, over func()) {
	for k := range volumes {
		_, asked, cut := h.volume[k].read(l.now())
		w := &h.watches[k]
		mean := w.rate(asked)
		if t := w.look(mean, cut, f.of[k]); t != none {
			over()
			l.tel.tell(ctx, t, excess{h, k, mean, f.of[k], w, nil})
		}
	}
}

// promote lets a service that is over a budget be counted by its name.
func (l *ledger) promote(a *account) {
	a.counts.Store(l.names.get(a.tenant, a.service, maxNamed+maxPromoted))
}

// excess is what an event tells.
type excess struct {
	*holder
	kind        kind
	used, limit float64
	watch       *watch
	offenders   []string
}

// offenders names the metrics with the most series, and the labels with the most
// values.
func offenders(a *account) (out []string) {
	metrics, labels := a.series.Offenders(topOffenders)
	for _, o := range metrics {
		out = append(out, fmt.Sprintf("%s=%d", o.Metric, o.Active))
	}
	for _, o := range labels {
		out = append(out, fmt.Sprintf("%s{%s}=%d", o.Metric, o.Label, o.Active))
	}
	return out
}

// standing is how one budget of one holder stands.
type standing struct {
	*holder
	kind        kind
	used, limit float64
}

// standings returns the budgets of those holders that are nearest to one of theirs.
func (l *ledger) standings(most int) (out []standing) {
	accounts, tenants := l.holders()
	var all []nearest
	for _, a := range accounts {
		all = append(all, l.stand(&a.holder, a.series.Active()))
	}
	for _, t := range tenants {
		all = append(all, l.stand(&t.holder, int(t.series.Active())))
	}
	slices.SortFunc(all, func(a, b nearest) int { return cmp.Compare(b.share, a.share) })
	for _, n := range all[:min(most, len(all))] {
		out = append(out, n.of...)
	}
	return out
}

// nearest are the budgets of a holder with the greatest share of one that is used.
type nearest struct {
	share float64
	of    []standing
}

func (l *ledger) stand(h *holder, active int) (n nearest) {
	f := l.limits(h)
	for k := range kinds {
		if f.of[k] <= 0 {
			continue
		}
		used := float64(active)
		if k < volumes {
			used, _, _ = h.volume[k].read(l.now())
		}
		n.share = max(n.share, used/f.of[k])
		n.of = append(n.of, standing{h, k, used, f.of[k]})
	}
	return n
}
