// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/series"
	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/slice"
	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/volume"
)

// holder is who has budgets: a service of a tenant, or a tenant, whose service is "".
type holder struct {
	tenant, service string
	volume          [volumes]gate
	inForce         atomic.Pointer[inForce]
	watches         [kinds]watch // the ledger's goroutine's
}

// gate is a meter with what passed by it.
type gate struct {
	mu         sync.Mutex
	meter      volume.Meter
	diffuser   volume.Diffuser
	skew       volume.Skew
	asked, cut float64
}

func (g *gate) ask(now time.Duration, b volume.Budget, d *volume.Demand) float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked += d.Total()
	return g.meter.Ask(now, b, d)
}

// spend takes in what was kept and what was cut.
func (g *gate) spend(kept, cut float64) {
	g.mu.Lock()
	g.meter.Spend(kept)
	g.cut += cut
	g.mu.Unlock()
}

func (g *gate) indebted(burst time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.meter.Indebted(burst)
}

// again takes in what was to be kept of a batch and what was, and returns the ratio of
// a second cut.
func (g *gate) again(now time.Duration, expected, passed float64, indebted bool) float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.skew.Again(now, expected, passed, indebted)
}

// second returns the ratio of the second cut as it is.
func (g *gate) second() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.skew.Ratio()
}

// read returns the demand a second, and what was asked for and cut until now.
func (g *gate) read(now time.Duration) (rate, asked, cut float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.meter.Rate(now), g.asked, g.cut
}

// inForce are a holder's limits, computed from one state of the budgets and one of the
// fleet: what this collector may use.
type inForce struct {
	limits
	budgets *Budgets
	used    *slice.Used // nil: this collector has all
}

// keyPart writes a name such that it does not end where it is thought to.
var keyPart = strings.NewReplacer("%", "%25", "|", "%7C")

// key names a budget in the fleet.
func (h *holder) key(k kind) string {
	return kindNames[k] + "|" + keyPart.Replace(h.tenant) + "|" + keyPart.Replace(h.service)
}

// limits returns what is in force.
func (l *ledger) limits(h *holder) *inForce {
	budgets, used := l.budgets.Load(), l.used.Load()
	if f := h.inForce.Load(); f != nil && f.budgets == budgets && f.used == used {
		return f
	}
	f := &inForce{budgets: budgets, used: used}
	if h.service == "" {
		f.limits = budgets.tenant(h.tenant)
	} else {
		f.limits = budgets.service(h.tenant, h.service)
	}
	if used != nil {
		for k := range volumes {
			f.of[k] *= used.Of(h.key(k))
		}
	}
	h.inForce.Store(f)
	return f
}

// tenant is a tenant with the series of its services.
type tenant struct {
	holder
	series series.Tenant
	folded atomic.Int64 // points folded for the number of them
}

// account is a service of a tenant.
type account struct {
	holder
	of     *tenant
	series *series.Service
	counts atomic.Pointer[counts]
	seen   atomic.Int64 // on the ledger's clock
	folded atomic.Int64 // points folded or dropped for their series
}

// ratio returns which part of a batch to keep of a kind, and whether it is the
// tenant's budget that asks for it. What the service's budget cuts does not count for
// the tenant's, so that one service that is over does not cost the others.
func (l *ledger) ratio(a *account, k kind, d *volume.Demand) (p float64, byTenant bool) {
	now := l.now()
	p = a.volume[k].ask(now, volume.Budget{PerSecond: l.limits(&a.holder).of[k], Burst: l.cfg.Burst}, d)
	if limit := l.limits(&a.of.holder).of[k]; limit > 0 {
		rest := d.Limited(p)
		if all := a.of.volume[k].ask(now, volume.Budget{PerSecond: limit, Burst: l.cfg.Burst}, &rest); all < p {
			return all, true
		}
	}
	return p, false
}

// again returns the ratio of a second cut of what a first one kept of a batch by the
// randomness of its traces, or the times of its points, which the sender chose.
func (l *ledger) again(a *account, k kind, expected, passed float64) float64 {
	indebted := a.volume[k].indebted(l.cfg.Burst) ||
		l.limits(&a.of.holder).of[k] > 0 && a.of.volume[k].indebted(l.cfg.Burst)
	return a.volume[k].again(l.now(), expected, passed, indebted)
}

// spend takes in what became of a batch.
func (l *ledger) spend(a *account, k kind, kept, cut float64, byTenant bool) {
	a.volume[k].spend(kept, cut)
	if l.limits(&a.of.holder).of[k] > 0 {
		if !byTenant {
			cut = 0
		}
		a.of.volume[k].spend(kept, cut)
	}
}
