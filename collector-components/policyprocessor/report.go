// SPDX-License-Identifier: Apache-2.0

package policyprocessor

// report is what happened to the items of a batch. It is made beside them and told once,
// at the end: an instrument of OpenTelemetry takes as long as the rules.
type report struct {
	seen     int64
	matches  []matched          // of the first rules that matched
	more     map[named]*matched // of those beyond few
	acts     map[act]int64
	failures map[failure]*trouble
}

// act is what was done to items, by which rule and why.
type act struct {
	kind   kind
	rule   string
	reason string
}

// failure is what failed, and how: for an item, or as a rule.
type failure struct{ rule, reason string }

// trouble is how often that was, and why the first time.
type trouble struct {
	n   int64
	err error
}

// matched is how many items a rule matched.
type matched struct {
	rule *rule
	n    int64
}

// fewMatched is up to how many rules it is faster to look for one than to hash it.
const fewMatched = 8

func (r *report) match(by *rule) {
	for i := range r.matches {
		if m := &r.matches[i]; m.rule == by || m.rule.kind == by.kind && m.rule.name == by.name {
			m.n++
			return
		}
	}
	if len(r.matches) < fewMatched {
		r.matches = append(r.matches, matched{by, 1})
		return
	}
	if r.more == nil {
		r.more = make(map[named]*matched)
	}
	m := r.more[named{by.kind, by.name}]
	if m == nil {
		m = &matched{rule: by}
		r.more[named{by.kind, by.name}] = m
	}
	m.n++
}

// named is a rule, whatever it says.
type named struct {
	kind kind
	name string
}

// matched calls f for every rule that matched.
func (r *report) matched(f func(by *rule, n int64)) {
	for _, m := range r.matches {
		f(m.rule, m.n)
	}
	for _, m := range r.more {
		f(m.rule, m.n)
	}
}

func (r *report) act(k kind, rule, reason string) {
	if r.acts == nil {
		r.acts = make(map[act]int64)
	}
	r.acts[act{k, rule, reason}]++
}

func (r *report) fail(rule, reason string, err error) {
	if r.failures == nil {
		r.failures = make(map[failure]*trouble)
	}
	f := failure{rule, reason}
	t := r.failures[f]
	if t == nil {
		t = &trouble{err: err}
		r.failures[f] = t
	}
	t.n++
}

// reasonOf is why a rule acted: because it said so, or because it cannot be understood.
func reasonOf(r *rule) string {
	if r.unclear != nil {
		return reasonRuleFailed
	}
	return reasonRule
}
