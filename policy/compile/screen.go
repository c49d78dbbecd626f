// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"slices"
	"strings"
)

// Screen tells of most inputs that no body of a rule holds for them, by a look at one
// path of the input or a few, without an evaluation: a set has no members then, an
// object no keys, and a complete rule without a default no value. It is for those who
// ask about very many inputs, of which few are of interest, and can read a path of them
// faster than an evaluation does.
//
// An input is one of those when all guards let it pass, and when for one of the covers
// every look misses. Of others nothing is known. A Screen is immutable and safe for
// concurrent use.
type Screen struct {
	// Covers are sets of looks, of which each by itself has one for every body.
	Covers [][]*Look

	// Guards are looks at what builtins take: where one does not miss, the evaluation
	// may be an error.
	Guards []*Look
}

// Look is a condition on one path of the input.
type Look struct {
	// Path are the keys that lead to it, at least one.
	Path []string

	how    how
	kinds  kinds // of a guard; 0 for a condition
	texts  *textSet
	others []Value
	search *machine
}

// Bounds of what is worth a screen: beyond them an evaluation is as fast.
const (
	maxCovers = 3
	maxLooks  = 8 // of one cover, and guards
	maxOthers = 16
)

// Screen returns the screen of one of the program's rules; nil where it has none,
// because a body holds without a condition on a path that is text, or could be an
// error.
func (p *Program) Screen(output int) *Screen { return p.screens[output] }

// screen makes the screen of a rule whose bodies are these.
func (l *lowerer) screen(r *ruleset, quick []candidate) {
	s := &Screen{}
	used := make(map[int32]bool)
	for len(s.Covers) < maxCovers {
		cover, ok := l.cover(quick, used)
		if !ok {
			break
		}
		s.Covers = append(s.Covers, cover)
	}
	if len(s.Covers) > 0 {
		l.screens[r] = s
	}
}

// cover returns looks that have a condition of every body, none of them at a path that
// was used for another cover.
func (l *lowerer) cover(list []candidate, used map[int32]bool) (looks []*Look, ok bool) {
	left := make([]candidate, len(list))
	for i, c := range list {
		left[i] = candidate{branch: c.branch, left: slices.DeleteFunc(slices.Clone(c.left), func(c condition) bool {
			return used[c.slot] || l.path(c.slot) == nil
		})}
	}
	for len(left) > 0 {
		l.spend(len(left) * 16)
		group, n := indexer{l}.choose(left)
		if n == 0 || len(looks) == maxLooks {
			return nil, false
		}
		var without []candidate
		look := &Look{Path: l.path(group.slot), how: group.how}
		for _, c := range left {
			at := c.on(group)
			if at < 0 {
				without = append(without, c)
				continue
			}
			for _, v := range c.left[at].values {
				look.add(v)
			}
		}
		if len(look.others) > maxOthers {
			return nil, false
		}
		look.finish()
		looks, left = append(looks, look), without
		used[group.slot] = true
	}
	return looks, true
}

// path returns the keys that lead to a slot; nil where one is no text.
func (l *lowerer) path(slot int32) (path []string) {
	for ; slot != 0; slot = l.slots[slot].parent {
		if l.slots[slot].key.k != text {
			return nil
		}
		path = append(path, l.slots[slot].name)
	}
	slices.Reverse(path)
	return path
}

// guarded adds the program's guards to its screens: any builtin could be an error for
// any rule.
func (l *lowerer) guarded() {
	var guards []*Look
	for _, g := range l.program.guards {
		look := &Look{Path: l.path(g.slot), kinds: g.kinds}
		if guards = append(guards, look); look.Path == nil || len(guards) > maxLooks {
			return // none has a screen
		}
	}
	for i, r := range l.program.outputs {
		if s := l.screens[r]; s != nil {
			s.Guards = guards
			l.program.screens[i] = s
		}
	}
}

func (k *Look) add(v Value) {
	switch {
	case v.k == text && (k.how == isValue || k.how == hasMember || k.how == startsWith || k.how == holdsText || k.how == endsWith):
		if k.texts == nil {
			k.texts = &textSet{set: make(map[string]struct{})}
		}
		k.texts.set[v.string()] = struct{}{}
	case k.how == greater || k.how == greaterEqual || k.how == less || k.how == lessEqual:
		loosest := len(k.others) == 0
		if !loosest {
			c := compare(v, k.others[0])
			loosest = c < 0 == (k.how == greater || k.how == greaterEqual) && c != 0
		}
		if loosest {
			k.others = []Value{v}
		}
	default:
		k.others = append(k.others, v)
	}
}

func (k *Look) finish() {
	if k.texts == nil {
		return
	}
	switch k.how {
	case holdsText, endsWith:
		list := make([]string, 0, len(k.texts.set))
		for t := range k.texts.set {
			list = append(list, t)
		}
		slices.Sort(list)
		m := newMachine(list)
		k.search = &m
	case isValue:
		k.texts.finish()
	}
}

// Misses reports that the condition does not hold for a value, or for undefined, or
// that the guard lets it pass. It is not wrong to say false.
func (k *Look) Misses(v Value) bool {
	if k.kinds != 0 {
		return v.k == undefined || k.kinds&(1<<v.k) != 0
	}
	switch v.k {
	case undefined:
		return true
	case written:
		return false // to compare it may be left to OPA
	}
	switch k.how {
	case isValue:
		if v.k == text {
			return k.texts == nil || !k.texts.has(v.string())
		}
		return v.k <= written && !k.equalsOther(v) || v.k > text
	case hasMember:
		return v.k <= text // what has no members
	case startsWith:
		return v.k == text && !k.texts.beginning(v.string())
	case holdsText, endsWith:
		return v.k == text && !k.search.finds(v.string(), k.how == endsWith)
	case greater:
		return compare(v, k.others[0]) <= 0
	case greaterEqual:
		return compare(v, k.others[0]) < 0
	case less:
		return compare(v, k.others[0]) >= 0
	case lessEqual:
		return compare(v, k.others[0]) > 0
	}
	return false
}

func (k *Look) equalsOther(v Value) bool {
	for i := range k.others {
		if equal(k.others[i], v) {
			return true
		}
	}
	return false
}

// finds reports whether one of the machine's texts is in s, or ends it.
func (m *machine) finds(s string, atEnd bool) bool {
	state := int32(0)
	for i := -1; i < len(s); i++ {
		if i >= 0 {
			state = m.step(state, s[i])
		}
		if atEnd && i < len(s)-1 {
			continue
		}
		for at := state; ; at = m.fail[at] {
			if m.found[at] >= 0 {
				return true
			}
			if at == 0 {
				break
			}
		}
	}
	return false
}

// textSet is a set of strings before which stands a filter of bits, so that most strings
// that are not in it cost no hash of the whole: Bloom's, Space/time trade-offs in hash
// coding with allowable errors, 1970, with one function, of the first and the last eight
// bytes and the length.
type textSet struct {
	set  map[string]struct{}
	bits []uint64
}

func (t *textSet) finish() {
	words := 4
	for words*4 < len(t.set) { // 16 bits for each string
		words *= 2
	}
	t.bits = make([]uint64, words)
	for s := range t.set {
		h := glance(s)
		t.bits[h>>6&uint64(words-1)] |= 1 << (h & 63)
	}
}

func (t *textSet) has(s string) bool {
	h := glance(s)
	if t.bits[h>>6&uint64(len(t.bits)-1)]&(1<<(h&63)) == 0 {
		return false
	}
	_, ok := t.set[s]
	return ok
}

func (t *textSet) beginning(s string) bool {
	for p := range t.set {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// glance hashes both ends of a string. The factors are odd and otherwise random.
func glance(s string) uint64 {
	var a, b uint64
	if n := len(s); n >= 8 {
		a, b = eight(s), eight(s[n-8:])
	} else {
		for i := range n {
			a = a<<8 | uint64(s[i])
		}
	}
	h := a*0x9e3779b97f4a7c15 ^ b*0xc2b2ae3d27d4eb4f ^ uint64(len(s))*0x165667b19e3779f9
	return h ^ h>>29 ^ h>>43
}

func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
