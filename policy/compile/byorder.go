// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"
	"strings"
)

// byPrefix leads from a string to the branches that ask for one of its prefixes.
type byPrefix struct {
	slot     int32
	prefixes []string // in order
	parents  []int    // the longest other prefix that this one starts with; -1 for none
	nodes    []node
	rest     node
}

func (x indexer) byPrefix(group condition, with []candidate, rest node) node {
	lists := make(map[string][]candidate)
	for _, c := range with {
		at := c.on(group)
		p := c.left[at].values[0].string()
		lists[p] = append(lists[p], c.take(at))
	}
	n := &byPrefix{slot: group.slot, rest: rest}
	for p := range lists {
		n.prefixes = append(n.prefixes, p)
	}
	slices.Sort(n.prefixes)
	for i, p := range n.prefixes {
		parent := i - 1 // if not this one, then one that this one starts with
		for parent >= 0 && !strings.HasPrefix(p, n.prefixes[parent]) {
			parent = n.parents[parent]
		}
		n.parents = append(n.parents, parent)
		n.nodes = append(n.nodes, x.build(lists[p]))
	}
	return n
}

func (n *byPrefix) visit(f *frame, r *ruleset) bool {
	if v := f.slot(n.slot); v.k == text {
		s := v.string()
		// Whatever s starts with is the last prefix that is not after s, or one that
		// this one starts with.
		at, exact := slices.BinarySearch(n.prefixes, s)
		if !exact {
			at--
		}
		for ; at >= 0; at = n.parents[at] {
			if strings.HasPrefix(s, n.prefixes[at]) && n.nodes[at].visit(f, r) {
				return true
			}
		}
	}
	return n.rest != nil && n.rest.visit(f, r)
}

// byOrder leads from a value to the branches whose bound it is beyond.
type byOrder struct {
	slot   int32
	how    how
	bounds []Value // in order
	nodes  []node
	rest   node
}

func (x indexer) byOrder(group condition, with []candidate, rest node) node {
	type bound struct {
		value Value
		list  []candidate
	}
	var bounds []bound
	for _, c := range with {
		at := c.on(group)
		v := c.left[at].values[0]
		i, found := slices.BinarySearchFunc(bounds, v, func(b bound, v Value) int { return compare(b.value, v) })
		if !found {
			bounds = slices.Insert(bounds, i, bound{value: v})
		}
		bounds[i].list = append(bounds[i].list, c.take(at))
	}
	n := &byOrder{slot: group.slot, how: group.how, rest: rest}
	for _, b := range bounds {
		n.bounds = append(n.bounds, b.value)
		n.nodes = append(n.nodes, x.build(b.list))
	}
	return n
}

func (n *byOrder) visit(f *frame, r *ruleset) bool {
	if v := f.slot(n.slot); v.k != undefined {
		at, exact := slices.BinarySearchFunc(n.bounds, v, compare)
		from, to := 0, at
		switch n.how {
		case greaterEqual: // bounds up to v
			if exact {
				to++
			}
		case less: // bounds after v
			from, to = at, len(n.bounds)
			if exact {
				from++
			}
		case lessEqual:
			from, to = at, len(n.bounds)
		}
		for i := from; i < to; i++ {
			if n.nodes[i].visit(f, r) {
				return true
			}
		}
	}
	return n.rest != nil && n.rest.visit(f, r)
}
