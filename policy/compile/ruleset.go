// SPDX-License-Identifier: Apache-2.0

package compile

// ruleset is all rules of one name: a complete rule, a function, or a partial set or
// object.
type ruleset struct {
	id    int32
	name  string // the path, such as data.shop.orders.allow
	what  kind   // undefined for a complete rule and a function, else set or object
	args  int32  // of a function; -1 for a rule
	regs  int32  // variables of the body that has most, arguments first
	raise bool   // its value can be an error of OPA's
	same  bool   // all branches say the same: the first that holds is enough

	fallback Value // the default
	careful  []*branch
	quick    node // an index of the branches that cannot be errors; nil when there are none
}

// branch is one rule: a head and a body, and what follows after else.
type branch struct {
	ops       []op
	sink      sink
	regs      int32 // variables
	otherwise *branch
	line      int
	file      string
	raises    bool // looked through to the end, in its place
	tests     []condition
	indexed   []string // by what, for people
}

// value returns the value of a rule set that is no function, which is known after the
// first time.
func (r *ruleset) value(f *frame, caller int32) Value {
	m := &f.memo[r.id]
	if m.done {
		return m.value
	}
	f.known = append(f.known, r.id)
	base := f.enter(caller, r.regs)
	var v Value
	if r.what == undefined {
		v = r.solve(f)
	} else {
		v = f.collect(r.what, func() { r.each(f) })
	}
	f.base = base
	m = &f.memo[r.id]
	m.value, m.done = v, true
	return v
}

// solve returns the value of a complete rule, or of a function whose arguments are
// set.
func (r *ruleset) solve(f *frame) Value {
	m := &f.memo[r.id]
	m.value, m.hits = Value{}, 0
	r.each(f)
	if m.value.k == undefined {
		return r.fallback
	}
	return m.value
}

// each runs the branches. Those that can be errors run all, because OPA might come to
// any of them; where none is an error, which of the others run does not show.
func (r *ruleset) each(f *frame) {
	for _, b := range r.careful {
		b.run(f, r)
	}
	if r.quick != nil && (len(r.careful) == 0 || !r.same || f.memo[r.id].hits == 0) {
		r.quick.visit(f, r)
	}
}

// run looks for the solutions of a branch, or of the first after else that has any.
func (b *branch) run(f *frame, r *ruleset) (stop bool) {
	for ; b != nil; b = b.otherwise {
		hits := f.memo[r.id].hits
		if f.exec(b.ops, b.sink) {
			return r.same
		}
		if f.memo[r.id].hits != hits {
			return false
		}
	}
	return false
}

// result is the sink of a complete rule's or a function's branch.
type result struct {
	id    int32
	value operand
	last  bool // no other solution can say anything else
}

func (s *result) take(f *frame) bool {
	m, v := &f.memo[s.id], f.get(&s.value)
	m.hits++
	if m.value.k == undefined {
		m.value = v
	} else if !f.equal(m.value, v) {
		unexpected("rules disagree")
	} else if !s.last {
		sameEitherWay(m.value, v)
	}
	return s.last
}

// contribute is the sink of a partial rule's branch.
type contribute struct {
	id int32
	member
}

func (s *contribute) take(f *frame) bool {
	f.memo[s.id].hits++
	return s.member.take(f)
}

// ask sets a variable to the value of a rule.
type ask struct {
	rules *ruleset
	regs  *int32 // of the caller, known when its body is lowered
	to    int32
}

func (o *ask) holds(f *frame) bool {
	v := o.rules.value(f, *o.regs)
	if v.k == undefined {
		return false
	}
	f.set(o.to, v)
	return true
}

// call sets a variable to the value of a function.
type call struct {
	rules *ruleset
	args  []operand
	regs  *int32
	to    int32
}

func (o *call) holds(f *frame) bool {
	var few [4]Value
	args := few[:0]
	for i := range o.args {
		args = append(args, f.get(&o.args[i]))
	}
	base := f.enter(*o.regs, o.rules.regs)
	for i, v := range args {
		f.set(int32(i), v) //nolint:gosec // a few
	}
	f.known = append(f.known, o.rules.id)
	v := o.rules.solve(f)
	f.base = base
	if v.k == undefined {
		return false
	}
	f.set(o.to, v)
	return true
}
