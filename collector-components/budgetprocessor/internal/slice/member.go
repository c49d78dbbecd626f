// SPDX-License-Identifier: Apache-2.0

package slice

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

const (
	// hot is the demand, as a part of the equal one, from which a budget is divided
	// by demand.
	hot = 0.8

	// floor is what all members together may use beyond their claims, and idle what
	// those without demand claim together.
	floor = 0.10
	idle  = 0.05

	// slack is how far a claim may be from what it should be before it is written
	// again, and demandSlack how far a demand.
	slack       = 0.02
	demandSlack = 0.1

	tolerance = 1e-9
)

// Member is one collector. It is not safe for concurrent use.
type Member struct {
	name      string
	expected  int // collectors, where nobody is seen
	size      int // of the fleet, as last seen
	published Share
	granted   float64            // of budgets without an entry
	used      map[string]float64 // granted of others
}

// New returns a member that expects a fleet of so many collectors, itself included.
// Until its first round it uses the floor.
func New(name string, expected int) *Member {
	expected = max(expected, 1)
	return &Member{name: name, expected: expected, size: expected, used: make(map[string]float64)}
}

// Alone lets a member that had no round yet use an equal part for the fleet that it
// expects: etcd does not answer.
func (m *Member) Alone() {
	if m.published.Sequence == 0 {
		m.granted = 1 / float64(m.expected)
	}
}

// Unheard lets a member that sees the others, but could never write, use an equal part
// of each budget as far as nobody claims it. It holds until the next round.
func (m *Member) Unheard(view map[string]Share) {
	others := m.others(view)
	m.size = len(others) + 1
	part := 1 / float64(max(m.size, m.expected))
	rest := func(key string) float64 { return min(part, max(1-claims(others, key), 0)) }
	m.granted = rest("")
	clear(m.used)
	for _, s := range others {
		for key := range s.Entries {
			m.used[key] = rest(key)
		}
	}
}

// others returns the shares of the other members.
func (m *Member) others(view map[string]Share) []*Share {
	others := make([]*Share, 0, len(view))
	for name, s := range view {
		if name != m.name {
			others = append(others, &s)
		}
	}
	return others
}

// Size returns how many collectors there are, as was last seen.
func (m *Member) Size() int { return m.size }

// Used is what a member may use of budgets. It does not change.
type Used struct {
	floor, granted float64
	parts          map[string]float64
}

// Of returns the part of a budget.
func (u *Used) Of(key string) float64 {
	if part, ok := u.parts[key]; ok {
		return max(part, u.floor)
	}
	return max(u.granted, u.floor)
}

// Used returns what the member may use now.
func (m *Member) Used() *Used {
	return &Used{
		floor:   floor / float64(max(m.size, m.expected)),
		granted: m.granted, parts: maps.Clone(m.used),
	}
}

// Round looks at the shares of all collectors, one's own among them, and at how much
// of each budget this one could use, as a part of it; budgets that are not named are
// idle. It returns the share to publish and whether it is another than the last.
func (m *Member) Round(view map[string]Share, demand map[string]float64) (share Share, changed bool) {
	others := m.others(view)
	m.size = len(others) + 1
	own, present := view[m.name]
	keys := m.keys(others, demand)
	m.grant(others, keys, present, present && own.Sequence == m.published.Sequence)

	parts := m.size
	if !present { // more may be about to join
		parts = max(m.size, m.expected)
	}
	next := Share{Default: m.fit(m.published.Default, 1/float64(parts), 1-claims(others, "")), Entries: make(map[string]Entry)}
	for _, key := range keys {
		if !m.interesting(key, others, demand[key]) || len(next.Entries) == MaxEntries {
			continue
		}
		// All compute with the figures that are published, so that their parts add up.
		own := m.demand(key, demand[key])
		want := m.target(key, others, own)
		next.Entries[key] = Entry{Demand: own, Claim: m.fit(m.published.claim(key), want, 1-claims(others, key))}
	}
	changed = !present || next.Default != m.published.Default || !maps.Equal(next.Entries, m.published.Entries)
	if changed {
		next.Sequence = max(m.published.Sequence, own.Sequence) + 1
		m.published = next
	}
	m.shrink(keys)
	return m.published, changed
}

// keys returns the budgets that anybody speaks of, those with the most demand first.
func (m *Member) keys(others []*Share, demand map[string]float64) []string {
	all := make(map[string]struct{})
	for key := range demand {
		all[key] = struct{}{}
	}
	for _, s := range append(others, &m.published) {
		for key := range s.Entries {
			all[key] = struct{}{}
		}
	}
	for key := range m.used {
		all[key] = struct{}{}
	}
	keys := slices.Collect(maps.Keys(all))
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == "" || len(k) > MaxKey })
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(demand[b], demand[a]), cmp.Compare(a, b)) })
	return keys
}

// claims adds up what others claim; "" is no budget's key.
func claims(others []*Share, key string) (sum float64) {
	for _, s := range others {
		sum += s.claim(key)
	}
	return sum
}

// grant lets the member use what it claims, if the view that says so holds its own
// claim too. When the view does not know the member, as at its start and after its
// lease ended, it uses what nobody claims.
func (m *Member) grant(others []*Share, keys []string, present, current bool) {
	decide := func(used, claimed float64, key string) float64 {
		rest := 1 - claims(others, key)
		switch {
		case !present:
			return min(used, max(rest, 0))
		case current && claimed <= rest+tolerance:
			return claimed
		}
		return min(used, claimed)
	}
	before := m.granted
	m.granted = decide(m.granted, m.published.Default, "")
	for _, key := range keys {
		used, ok := m.used[key]
		if !ok {
			used = before
		}
		m.used[key] = decide(used, m.published.claim(key), key)
	}
}

// shrink lets the member use no more than what it claims, and forgets budgets of which
// nobody speaks any more once they are as all others.
func (m *Member) shrink(keys []string) {
	m.granted = min(m.granted, m.published.Default)
	if m.published.Sequence == 0 {
		return
	}
	for _, key := range keys {
		m.used[key] = min(m.used[key], m.published.claim(key))
		if _, spoken := m.published.Entries[key]; !spoken && m.used[key] == m.granted {
			delete(m.used, key)
		}
	}
}

// interesting says whether some collector wants more of a budget than eight tenths of
// its equal part.
func (m *Member) interesting(key string, others []*Share, demand float64) bool {
	least := hot / float64(m.size)
	if demand > least {
		return true
	}
	for _, s := range others {
		if e, ok := s.Entries[key]; ok && e.Demand > least {
			return true
		}
	}
	return false
}

// target returns the part that would be right.
func (m *Member) target(key string, others []*Share, demand float64) float64 {
	n := float64(m.size)
	least := idle / n
	own := max(demand, least)
	sum := own
	for _, s := range others {
		if e, ok := s.Entries[key]; ok {
			sum += max(e.Demand, least)
		} else {
			sum += max(hot*s.Default, least) // it does not say, and so has at most that
		}
	}
	if sum >= 1 {
		return own / sum
	}
	return own + (1-sum)/n
}

// fit returns the claim for a part that would be right, of which so much is free; the
// former one if it is near enough.
func (m *Member) fit(former, want, free float64) float64 {
	claim := math.Max(min(want, free), 0)
	if former <= free+tolerance && math.Abs(claim-former) <= slack*want {
		return former
	}
	return claim
}

// demand returns what to publish for a demand: the former figure if it is near.
func (m *Member) demand(key string, now float64) float64 {
	if e, ok := m.published.Entries[key]; ok && math.Abs(e.Demand-now) <= demandSlack*e.Demand &&
		(e.Demand > hot/float64(m.size)) == (now > hot/float64(m.size)) {
		return e.Demand
	}
	return round(now)
}
