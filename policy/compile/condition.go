// SPDX-License-Identifier: Apache-2.0

package compile

import "slices"

// membership is a variable that runs over the members of a path of the input.
type membership struct {
	op   int
	slot int32
	key  int32
}

// found is a condition, as it was met.
type found struct {
	condition
	member *membership // the variable that the condition is on, if it is on one
	reg    int32
}

// note remembers a condition on a path of the input, or on a member of one.
func (s *body) note(how how, o operand, values ...Value) {
	if !s.top {
		return
	}
	for _, v := range values {
		if v.k.order() > text.order() {
			return // of collections equality is not worth a place in an index
		}
	}
	c := condition{how: how, values: values, ops: []int{len(s.ops) - 1}}
	switch o.where {
	case inSlot:
		c.slot = o.i
		s.facts.found = append(s.facts.found, found{condition: c})
	case inReg:
		if m, ok := s.facts.members[o.i]; ok && how == isValue {
			c.how, c.slot = hasMember, m.slot
			s.facts.found = append(s.facts.found, found{c, &m, o.i})
		}
	}
}

// conditions concludes which steps need not run when a condition is known to hold.
func (s *body) conditions() {
	if s.facts.raises {
		return
	}
	gone := make(map[int]bool) // steps that another took over
	for _, f := range s.facts.found {
		c := f.condition
		if f.member != nil {
			if s.facts.uses[f.reg] > 1 || s.facts.uses[f.member.key] > 0 {
				c.ops = nil // the variable is needed for itself
			} else {
				// Nobody but the test asks which member it was: that there is one is enough.
				s.ops[f.member.op] = op{test: &hasAny{f.member.slot, newSet(slices.Clone(c.values))}}
				gone[c.ops[0]] = true
				c.ops = []int{f.member.op}
			}
		}
		for i, o := range s.ops {
			if d, ok := o.test.(*isDefined); ok && d.a.where == inSlot && d.a.i == c.slot {
				c.ops = append(c.ops, i)
			}
		}
		s.branch.tests = append(s.branch.tests, c)
	}
	if len(gone) == 0 {
		return
	}
	kept, at := make([]op, 0, len(s.ops)), make([]int, len(s.ops))
	for i, o := range s.ops {
		if at[i] = len(kept); !gone[i] {
			kept = append(kept, o)
		}
	}
	for _, c := range s.branch.tests {
		for i := range c.ops {
			c.ops[i] = at[c.ops[i]]
		}
	}
	s.ops = kept
}
