// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"
	"strings"
)

// how is the kind of a [condition].
type how uint8

const (
	isValue      how = iota // the path has one of the values
	hasMember               // a member of what is at the path is one of the values
	startsWith              // the path starts with the value
	greater                 // the path is greater than the value, in Rego's order
	greaterEqual            // and so on
	less
	lessEqual
	holdsText // the path contains the value
	endsWith  // the path ends with the value
)

var hows = [...]string{"=", "has", "startswith", ">", ">=", "<", "<=", "contains", "endswith"}

// weights prefer what tells most for least.
var weights = [...]int{isValue: 8, hasMember: 4, startsWith: 4, greater: 1, greaterEqual: 1, less: 1, lessEqual: 1, holdsText: 2, endsWith: 2}

// condition is a test of one path of the input that must hold for a body to hold.
type condition struct {
	how    how
	slot   int32
	values []Value
	ops    []int // steps of the body that need not run when it is known to hold
}

// few is how many branches are tried one after another rather than indexed.
const few = 3

// maxDistinct bounds what many values count for when a path is chosen.
const maxDistinct = 64

// maxWays bounds how many places of an index one branch is put in.
const maxWays = 64

// node is a part of an index: it runs the branches whose conditions hold.
type node interface {
	visit(f *frame, r *ruleset) (stop bool)
}

// candidate is a branch on its way into the index, with the conditions that are not
// used yet and the steps that need not run any more.
type candidate struct {
	branch *branch
	left   []condition
	done   []int
}

// indexer builds the index of one rule set.
type indexer struct{ l *lowerer }

// build makes an index: the path that tells most goes first, what has no condition on
// it comes after.
func (x indexer) build(list []candidate) node {
	if len(list) == 0 {
		return nil
	}
	x.l.spend(len(list) * 64)
	group, n := x.choose(list)
	if n < 2 || len(list) <= few {
		return leaf(list)
	}
	var with, without []candidate
	for _, c := range list {
		if i := c.on(group); i >= 0 {
			with = append(with, c)
		} else {
			without = append(without, c)
		}
	}
	for _, c := range with {
		c.branch.index(x.l.slots[group.slot].String() + " " + hows[group.how])
	}
	rest := x.build(without)
	switch group.how {
	case isValue, hasMember:
		return x.byHash(group, with, rest)
	case startsWith:
		return x.byPrefix(group, with, rest)
	case holdsText, endsWith:
		return x.byLiteral(group, with, rest)
	}
	return x.byOrder(group, with, rest)
}

func (b *branch) index(what string) {
	if !slices.Contains(b.indexed, what) {
		b.indexed = append(b.indexed, what)
	}
}

// choose returns the kind of condition that divides the list best, and how many
// branches have it.
func (x indexer) choose(list []candidate) (best condition, n int) {
	type key struct {
		how  how
		slot int32
	}
	type tally struct {
		n      int
		values map[string]struct{}
	}
	tallies := make(map[key]*tally)
	for _, c := range list {
		for _, left := range c.left {
			k := key{left.how, left.slot}
			t := tallies[k]
			if t == nil {
				t = &tally{values: make(map[string]struct{})}
				tallies[k] = t
			}
			t.n++
			if len(t.values) < maxDistinct {
				t.values[left.values[0].name()] = struct{}{}
			}
		}
	}
	top := 0
	for k, t := range tallies {
		score := t.n * weights[k.how] * len(t.values)
		// Ties are broken alike each time: the same policy has the same index.
		if score > top || score == top && (k.slot < best.slot || k.slot == best.slot && k.how < best.how) {
			top, n, best = score, t.n, condition{how: k.how, slot: k.slot}
		}
	}
	return best, n
}

// name tells values apart, roughly.
func (v Value) name() string {
	switch v.k {
	case text:
		return v.string()
	case integer, decimal, written:
		return v.number()
	case boolean:
		if v.bool() {
			return "\x00true"
		}
		return "\x00false"
	}
	return "\x00" + string(rune(v.k))
}

// on returns which of the conditions is of the group.
func (c *candidate) on(group condition) int {
	return slices.IndexFunc(c.left, func(left condition) bool { return left.how == group.how && left.slot == group.slot })
}

// take returns the candidate with a condition used.
func (c *candidate) take(i int) candidate {
	left := slices.Delete(slices.Clone(c.left), i, i+1)
	return candidate{c.branch, left, append(slices.Clone(c.done), c.left[i].ops...)}
}

// sequence is a leaf: branches one after another.
type sequence []entry

type entry struct {
	ops    []op
	branch *branch
}

func leaf(list []candidate) node {
	s := make(sequence, len(list))
	for i, c := range list {
		ops := c.branch.ops
		if len(c.done) > 0 {
			ops = make([]op, 0, len(c.branch.ops))
			for j := range c.branch.ops {
				if !slices.Contains(c.done, j) {
					ops = append(ops, c.branch.ops[j])
				}
			}
		}
		s[i] = entry{ops, c.branch}
	}
	return s
}

func (s sequence) visit(f *frame, r *ruleset) bool {
	for i := range s {
		e := &s[i]
		if e.branch.otherwise != nil {
			if e.branch.run(f, r) {
				return true
			}
		} else if f.exec(e.ops, e.branch.sink) && r.same {
			return true
		}
	}
	return false
}

// byHash leads from a value, or from each member of a collection, to the branches
// that ask for it.
type byHash struct {
	slot    int32
	members bool
	texts   map[string]node
	ints    map[int64]node
	others  []other
	rest    node
}

type other struct {
	value Value
	node  node
}

func (x indexer) byHash(group condition, with []candidate, rest node) node {
	type bucket struct {
		value Value
		list  []candidate
	}
	texts, ints, others := make(map[string]*bucket), make(map[int64]*bucket), []*bucket(nil)
	var order []*bucket
	place := func(v Value) *bucket {
		var b *bucket
		i, _, isInt, _ := int64(0), 0.0, false, false
		if v.k.isNumber() {
			i, _, isInt, _ = v.exact()
		}
		switch {
		case v.k == text:
			b = texts[v.string()]
		case isInt:
			b = ints[i]
		default:
			for _, o := range others {
				if equal(o.value, v) {
					b = o
				}
			}
		}
		if b != nil {
			return b
		}
		b = &bucket{value: v}
		order = append(order, b)
		switch {
		case v.k == text:
			texts[v.string()] = b
		case isInt:
			ints[i] = b
		default:
			others = append(others, b)
		}
		return b
	}
	for _, c := range with {
		at := c.on(group)
		next := c.take(at)
		for _, v := range c.left[at].values {
			b := place(v)
			b.list = append(b.list, next)
		}
	}
	n := &byHash{slot: group.slot, members: group.how == hasMember, rest: rest}
	nodes := make(map[*bucket]node, len(order))
	for _, b := range order {
		nodes[b] = x.build(b.list)
	}
	if len(texts) > 0 {
		n.texts = make(map[string]node, len(texts))
		for k, b := range texts {
			n.texts[k] = nodes[b]
		}
	}
	if len(ints) > 0 {
		n.ints = make(map[int64]node, len(ints))
		for k, b := range ints {
			n.ints[k] = nodes[b]
		}
	}
	for _, b := range others {
		n.others = append(n.others, other{b.value, nodes[b]})
	}
	return n
}

func (n *byHash) visit(f *frame, r *ruleset) bool {
	v := f.slot(n.slot)
	if !n.members {
		if n.probe(v, f, r) {
			return true
		}
	} else if n.each(v, f, r) {
		return true
	}
	return n.rest != nil && n.rest.visit(f, r)
}

func (n *byHash) each(v Value, f *frame, r *ruleset) bool {
	if v.k.isArray() {
		for i := range v.length() {
			f.step()
			if n.probe(v.at(i), f, r) {
				return true
			}
		}
		return false
	}
	return visit(f, v, false, func(_, item Value) bool { return n.probe(item, f, r) })
}

func (n *byHash) probe(v Value, f *frame, r *ruleset) bool {
	switch v.k {
	case undefined:
		return false
	case text:
		if found, ok := n.texts[v.string()]; ok {
			return found.visit(f, r)
		}
		return false
	case integer, decimal, written:
		if i, _, isInt, isFloat := v.exact(); isInt {
			if found, ok := n.ints[i]; ok {
				return found.visit(f, r)
			}
			return false
		} else if !isFloat {
			for i, found := range n.ints { // too many digits to know at once which it is
				if equal(intValue(i), v) {
					return found.visit(f, r)
				}
			}
		}
	}
	for _, o := range n.others {
		if equal(o.value, v) {
			return o.node.visit(f, r)
		}
	}
	return false
}

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
