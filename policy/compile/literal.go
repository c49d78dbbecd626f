// SPDX-License-Identifier: Apache-2.0

package compile

import "slices"

// byLiteral leads from a string to the branches that ask whether it contains, or ends
// with, one of many texts: by one pass over the string, however many there are (Aho and
// Corasick, Efficient string matching, 1975).
type byLiteral struct {
	slot    int32
	suffix  bool // only what ends with the string counts
	machine machine
	nodes   []node // by literal
	rest    node
}

func (x indexer) byLiteral(group condition, with []candidate, rest node) node {
	lists := make(map[string][]candidate)
	for _, c := range with {
		at := c.on(group)
		text := c.left[at].values[0].string()
		lists[text] = append(lists[text], c.take(at))
	}
	literals := make([]string, 0, len(lists))
	for text := range lists {
		literals = append(literals, text)
	}
	slices.Sort(literals)
	n := &byLiteral{slot: group.slot, suffix: group.how == endsWith, machine: newMachine(literals), rest: rest}
	x.l.spend(24 * len(n.machine.next))
	for _, text := range literals {
		n.nodes = append(n.nodes, x.build(lists[text]))
	}
	return n
}

func (n *byLiteral) visit(f *frame, r *ruleset) bool {
	if v := f.slot(n.slot); v.k == text && n.scan(v.string(), f, r) {
		return true
	}
	return n.rest != nil && n.rest.visit(f, r)
}

func (n *byLiteral) scan(s string, f *frame, r *ruleset) bool {
	m := &n.machine
	state := int32(0)
	var met [16]uint64             // literals that were met count once; with more than 1,024, some twice, which is work but no harm
	for i := -1; i < len(s); i++ { // -1 is for the empty literal, which is everywhere
		if i >= 0 {
			state = m.step(state, s[i])
		}
		if n.suffix && i < len(s)-1 {
			continue
		}
		for at := state; ; at = m.fail[at] {
			if literal := m.found[at]; literal >= 0 {
				if word := literal / 64; int(word) < len(met) {
					if met[word]&(1<<(literal%64)) != 0 {
						if at == 0 {
							break
						}
						continue
					}
					met[word] |= 1 << (literal % 64)
				}
				f.step()
				if n.nodes[literal].visit(f, r) {
					return true
				}
			}
			if at == 0 {
				break
			}
		}
	}
	return false
}

// machine is the automaton of a set of texts. State 0 is the beginning.
type machine struct {
	next  []map[byte]int32 // by state
	fail  []int32          // the state of the longest suffix that is a beginning too
	found []int32          // the text that ends in a state; -1 for none
}

func newMachine(texts []string) machine {
	m := machine{next: []map[byte]int32{{}}, fail: []int32{0}, found: []int32{-1}}
	for i, text := range texts {
		state := int32(0)
		for _, c := range []byte(text) {
			to, ok := m.next[state][c]
			if !ok {
				to = int32(len(m.next)) //nolint:gosec // fewer than there are bytes in a bundle
				m.next, m.fail, m.found = append(m.next, map[byte]int32{}), append(m.fail, 0), append(m.found, -1)
				m.next[state][c] = to
			}
			state = to
		}
		m.found[state] = int32(i) //nolint:gosec // fewer than there are bytes in a bundle
	}
	queue := make([]int32, 0, len(m.next))
	for _, to := range m.next[0] {
		queue = append(queue, to)
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		for c, to := range m.next[state] {
			m.fail[to] = m.step(m.fail[state], c)
			queue = append(queue, to)
		}
	}
	return m
}

func (m *machine) step(state int32, c byte) int32 {
	for {
		if to, ok := m.next[state][c]; ok {
			return to
		}
		if state == 0 {
			return 0
		}
		state = m.fail[state]
	}
}
