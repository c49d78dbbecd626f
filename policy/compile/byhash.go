// SPDX-License-Identifier: Apache-2.0

package compile

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
