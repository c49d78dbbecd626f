// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// madeUp makes policies by chance: helper rules, functions, sets and objects that refer to
// each other and to the input, by everything that a body can hold.
func madeUp(n int) []policyText {
	list := make([]policyText, n)
	for i := range list {
		m := maker{rnd: rand.New(rand.NewPCG(uint64(i), 7))}
		list[i] = policyText{name: fmt.Sprint("made up/", i), text: m.policy(), data: map[string]any{
			"m": map[string]any{"a": 1, "b": false, "c": "a"}, "names": []any{"a", "b", "x"},
		}}
	}
	return list
}

// maker makes one policy.
type maker struct {
	rnd   *rand.Rand
	rules []string // references to the rules made so far, each of which has a value
	sets  []string
	funcs []string
	vars  int
}

func (m *maker) one(of ...string) string { return of[m.rnd.IntN(len(of))] }

func (m *maker) policy() string {
	var b strings.Builder
	b.WriteString("package p\n")
	for i := range 3 + m.rnd.IntN(5) {
		name := fmt.Sprintf("r%d", i)
		var rules []string
		switch m.rnd.IntN(8) {
		case 0:
			for range 1 + m.rnd.IntN(3) {
				rules = append(rules, fmt.Sprintf("%s(x) := %s if {\n\t%s\n\t%s\n}\n", name, m.one("x", m.constant(), "[x]"), m.test("x"), m.expr()))
			}
		case 1, 2:
			for range 1 + m.rnd.IntN(3) {
				v := m.value()
				rules = append(rules, fmt.Sprintf("%s contains k if {\n\tk := %s\n%s}\n", name, v, m.body()))
			}
			m.sets = append(m.sets, "data.p."+name)
		case 3:
			rules = append(rules, fmt.Sprintf("%s[k] := v if {\n\tsome k in %s\n\tv := %s\n%s}\n", name, m.list(), m.value(), m.body()))
		case 4:
			rules = append(rules, fmt.Sprintf("%s := %s if {\n%s} else := %s if {\n%s} else := %s\n", name, m.constant(), m.body(), m.constant(), m.body(), m.constant()))
			m.rules = append(m.rules, name)
		default:
			if m.rnd.IntN(2) == 0 {
				rules = append(rules, fmt.Sprintf("default %s := %s\n", name, m.constant()))
			}
			for range 1 + m.rnd.IntN(2) {
				if m.rnd.IntN(2) == 0 {
					rules = append(rules, fmt.Sprintf("%s if {\n%s}\n", name, m.body()))
				} else {
					rules = append(rules, fmt.Sprintf("%s := v if {\n\tv := %s\n%s}\n", name, m.value(), m.body()))
				}
			}
			m.rules = append(m.rules, name)
		}
		for _, r := range rules {
			b.WriteString(r)
		}
		if strings.HasPrefix(rules[0], name+"(x)") {
			m.funcs = append(m.funcs, name)
		}
	}
	return b.String()
}

func (m *maker) fresh() string {
	m.vars++
	return fmt.Sprint("v", m.vars)
}

func (m *maker) constant() string {
	return m.one("true", "false", "1", "2", `"a"`, `"b"`, "null", `{"k": 1}`, `["a"]`)
}

func (m *maker) field() string {
	return m.one("input.a", "input.b", "input.c", "input.o.k", "input.o.n.k", `input["a b"]`)
}

func (m *maker) list() string { return m.one("input.l", "input.o.l", "data.names", `["a", "b"]`) }

// value is something that may be undefined or an error.
func (m *maker) value() string {
	switch m.rnd.IntN(12) {
	case 0:
		return m.constant()
	case 1:
		return m.list() + "[_]"
	case 2:
		return "to_number(" + m.field() + ")"
	case 3:
		return "10 / " + m.field()
	case 4:
		return fmt.Sprintf("[y | some y in %s; y != %s]", m.list(), m.field())
	case 5:
		return fmt.Sprintf("{y: %s | some y in %s}", m.field(), m.list())
	case 6:
		return fmt.Sprintf("count({y | %s[y]; y != %s})", m.list(), m.field())
	case 7:
		if len(m.rules) > 0 {
			return m.one(m.rules...)
		}
	case 8:
		if len(m.sets) > 0 {
			return m.one(m.sets...)
		}
	case 9:
		if f := m.function(); f != "" {
			return f + "(" + m.field() + ")"
		}
	case 10:
		return "data.m[" + m.field() + "]"
	}
	return m.field()
}

func (m *maker) function() string {
	if len(m.funcs) == 0 {
		return ""
	}
	return m.one(m.funcs...)
}

func (m *maker) test(v string) string {
	return v + m.one(" == ", " != ", " > ", " <= ") + m.constant()
}

func (m *maker) body() string {
	var b strings.Builder
	for range 1 + m.rnd.IntN(3) {
		b.WriteString("\t" + m.expr() + "\n")
	}
	return b.String()
}

// expr is one expression of a body.
func (m *maker) expr() string {
	v := m.fresh()
	switch m.rnd.IntN(16) {
	case 0:
		return "not " + m.field()
	case 1:
		return "not " + m.test(m.field())
	case 2:
		return fmt.Sprintf("%s := %s\n\t%s", v, m.value(), m.test(v))
	case 3:
		return fmt.Sprintf("some %s in %s\n\t%s", v, m.list(), m.test(v))
	case 4:
		return fmt.Sprintf("every %s in %s { %s }", v, m.list(), m.test(v))
	case 5:
		return fmt.Sprintf("walk(%s, [%s, %s])\n\t%s", m.one("input.o", "input.l", `{"x": `+m.field()+"}"), m.one("_", "_", "p"+v, `["x"]`, "[_]"), v, m.test(v))
	case 6:
		return fmt.Sprintf("%s in %s", m.field(), m.list())
	case 7:
		if len(m.rules) > 0 {
			return m.one("", "not ") + m.one(m.rules...)
		}
	case 8:
		if len(m.sets) > 0 {
			return fmt.Sprintf("%s[%s]", m.one(m.sets...), m.one(m.field(), `"a"`, "_"))
		}
	case 9:
		if len(m.sets) > 0 {
			return fmt.Sprintf("count(%s) %s 1", m.one(m.sets...), m.one("==", ">", "<"))
		}
	case 10:
		if f := m.function(); f != "" {
			return fmt.Sprintf("%s%s(%s)", m.one("", "not "), f, m.field())
		}
	case 11:
		if len(m.rules) > 0 {
			return m.one(m.rules...) + " == " + m.value()
		}
	case 12:
		return fmt.Sprintf("startswith(%s, %s)", m.field(), m.one(`"a"`, m.field()))
	case 13:
		return fmt.Sprintf(`sprintf("%%v-%%v", [%s, %s]) != "a-b"`, m.field(), m.field())
	case 14:
		if len(m.rules) > 0 && m.rnd.IntN(3) == 0 {
			return fmt.Sprintf("%s with %s as %s", m.one(m.rules...), m.one("input.a", "input", "data.m.a"), m.constant())
		}
	case 15:
		if m.rnd.IntN(3) == 0 {
			return fmt.Sprintf("%s := {%s}\n\tinternal.template_string([\"a\", %s]) != \"aa\"\n\tcount(%s) == 1", v, m.field(), v, v)
		}
		return fmt.Sprintf(`$"{%s}" != "a"`, m.field())
	}
	return m.test(m.field())
}
