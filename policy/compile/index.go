// SPDX-License-Identifier: Apache-2.0

package compile

import "slices"

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
