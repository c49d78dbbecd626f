// SPDX-License-Identifier: Apache-2.0

package router

import (
	"math/rand/v2"
	"time"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
)

// defaultTable is in force where there is no document.
var defaultTable = func() *rules.Table {
	t, err := rules.Default().Compile()
	if err != nil {
		panic(err) // the defaults are this module's own
	}
	return t
}()

// policyKey tells policies apart: a document that changes something else must not cost a
// policy what it learnt.
type policyKey rules.Policy

// heed takes over what the service's document and its operators say. The service is locked.
func (s *service) heed(now time.Duration) {
	if s.rules != nil {
		if t := s.rules.Table(); t != s.table.Load() {
			s.table.Store(t)
			s.resetGates(t)
			s.pool.Configure(now, s.settings())
			s.updates.Notify() // perhaps other instances to connect to
		}
	}
	if part := s.partOfTraffic(now); s.table.Load().Service().Subset.Enabled && (part > s.part || part < s.part/2) {
		s.part = part
		s.pool.Configure(now, s.settings())
		s.updates.Notify() // other instances to connect to
	}
	var forced *override.Current
	if s.forced != nil {
		forced = s.forced.Current()
	}
	s.pool.Force(now, ejected(forced))
	s.judge(now)
}

// ejected returns the instances that operators keep out, nil for none.
func ejected(forced *override.Current) map[string]bool {
	var out map[string]bool
	for _, o := range forced.All() {
		if o.Kind == override.Eject {
			if out == nil {
				out = make(map[string]bool)
			}
			out[o.Instance] = true
		}
	}
	return out
}

// partOfTraffic returns which part of the service's requests this process makes, as far as
// the fleet knows; where it does not, what it was when last known, at first none.
func (s *service) partOfTraffic(now time.Duration) float64 {
	if s.fleet == nil {
		return s.part
	}
	all := uint64(0)
	for _, in := range s.fleet.Instances {
		if w := in.Window(windowSeconds); w != nil {
			all += w.Requests
		}
	}
	own := s.window.sum(now).Attempts
	if own == 0 || all == 0 {
		return s.part
	}
	return min(1, float64(own)/float64(all))
}

// settings translates the document in force for the pool. The service is locked, or not yet
// anybody's.
func (s *service) settings() balance.Settings {
	doc := s.table.Load().Service()
	settings := balance.Default()
	settings.Ejection = balance.Ejection{
		Mode: modeOf(doc.Ejection.Mode), Base: doc.Ejection.Base, Share: doc.Ejection.Share,
		Consecutive: doc.Ejection.Consecutive, Ratio: doc.Ejection.Ratio, Requests: doc.Ejection.Requests,
		Stdev: doc.Ejection.SuccessRateStdev, Latency: doc.Ejection.LatencyFactor,
	}
	if s.router.base > 0 {
		settings.Ejection.Base = s.router.base
	}
	settings.Panic, settings.SlowStart = doc.Panic, doc.SlowStart
	settings.Caller = s.router.caller
	if doc.Zone.Prefer {
		settings.Zone = s.router.zone
	}
	if doc.Subset.Enabled {
		settings.Subset, settings.Part = doc.Subset.Min, s.part
	}
	if key := policyKey(doc.Policy); s.pool == nil || key != s.policy {
		s.policy = key
		settings.Policy = s.newPolicy(&doc.Policy)
	} else {
		settings.Policy = s.pool.Policy()
	}
	prober, asks := settings.Policy.(balance.Prober)
	s.asks.Store(asks && prober != nil)
	settings.Variants = s.variants()
	return settings
}

// variants returns which instances belong to each variant that a route names.
func (s *service) variants() map[string]func(balance.Member) bool {
	table := s.table.Load()
	variants := make(map[string]func(balance.Member) bool)
	for _, name := range table.Variants() {
		selector := table.Variant(name)
		variants[name] = func(m balance.Member) bool { return selector.Match(&m.Target.(*target).member) }
	}
	return variants
}

// newPolicy makes the policy that a document names.
func (s *service) newPolicy(p *rules.Policy) balance.Policy {
	if own := s.router.policies[p.Name]; own != nil {
		return own()
	}
	switch p.Name {
	case rules.Prequal:
		return balance.NewPrequal(p.Probes, p.ProbesPerSecond)
	case rules.RoundRobin:
		return balance.NewRoundRobin(rand.IntN)
	case rules.LeastRequest:
		return balance.LeastRequest{}
	case rules.P2CEWMA:
		return balance.PeakEWMA{}
	case rules.Weighted:
		return balance.Weighted{}
	case rules.ConsistentHash:
		return balance.NewConsistentHash(p.LoadFactor)
	}
	o := balance.DefaultAdaptive()
	o.ProbesPerRequest, o.ProbesPerSecond = p.Probes, p.ProbesPerSecond
	return balance.NewAdaptive(o)
}

func modeOf(m rules.Mode) balance.Mode {
	switch m {
	case rules.Off:
		return balance.Off
	case rules.Observe:
		return balance.Observe
	}
	return balance.Act
}
