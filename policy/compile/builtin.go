// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"context"
	"math"
	"math/bits"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobwas/glob"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// builtin is a builtin function in one of three forms. An argument of another kind
// than it takes would be an error of OPA's; it is not called with one unless the body
// counts as one that can be an error, and then it is a surprise.
type builtin struct {
	one   func(Value) Value
	two   func(f *frame, a, b Value) Value
	fn    func([]Value) Value
	takes []kinds
	makes kinds // 0: anything
	fails bool  // can be an error whatever it is called with
}

const boolKinds = 1 << boolean

func ordered(ok func(int) bool) builtin {
	return builtin{two: func(f *frame, a, b Value) Value { return boolValue(ok(f.compare(a, b))) }, makes: boolKinds}
}

func texts(fn func(a, b string) bool) builtin {
	return builtin{takes: []kinds{textKinds, textKinds}, makes: boolKinds, two: func(_ *frame, a, b Value) Value {
		a.must(text)
		b.must(text)
		return boolValue(fn(a.string(), b.string()))
	}}
}

func mapped(fn func(string) string) builtin {
	return builtin{takes: []kinds{textKinds}, makes: textKinds, one: func(a Value) Value {
		a.must(text)
		return textValue(fn(a.string()))
	}}
}

func mapped2(fn func(a, b string) string) builtin {
	return builtin{takes: []kinds{textKinds, textKinds}, makes: textKinds, two: func(_ *frame, a, b Value) Value {
		a.must(text)
		b.must(text)
		return textValue(fn(a.string(), b.string()))
	}}
}

// is is a builtin that is true of some kinds and undefined of others.
func is(of func(kind) bool) builtin {
	return builtin{one: func(v Value) Value { return boolValue(of(v.k)) }, makes: boolKinds}
}

// arithmetic is exact on integers that fit; everything else is OPA's.
func arithmetic(fn func(a, b int64) (int64, bool)) builtin {
	return builtin{fails: true, makes: numberKinds, two: func(_ *frame, a, b Value) Value {
		if a.k == integer && b.k == integer {
			if c, ok := fn(a.int(), b.int()); ok {
				return intValue(c)
			}
		}
		unexpected("arithmetic on what is not two integers of 64 bits")
		return Value{}
	}}
}

func (v Value) must(k kind) {
	if v.k != k {
		unexpected("a builtin is called with another kind of value than it takes")
	}
}

// natives are the builtins that need not go through OPA's values.
var natives = map[string]builtin{
	"equal": {two: func(f *frame, a, b Value) Value { return boolValue(f.equal(a, b)) }, makes: boolKinds},
	"neq":   {two: func(f *frame, a, b Value) Value { return boolValue(!f.equal(a, b)) }, makes: boolKinds},
	"gt":    ordered(func(c int) bool { return c > 0 }),
	"gte":   ordered(func(c int) bool { return c >= 0 }),
	"lt":    ordered(func(c int) bool { return c < 0 }),
	"lte":   ordered(func(c int) bool { return c <= 0 }),

	"startswith":  texts(strings.HasPrefix),
	"endswith":    texts(strings.HasSuffix),
	"contains":    texts(strings.Contains),
	"lower":       mapped(strings.ToLower),
	"upper":       mapped(strings.ToUpper),
	"trim_space":  mapped(strings.TrimSpace),
	"trim_prefix": mapped2(strings.TrimPrefix),
	"trim_suffix": mapped2(strings.TrimSuffix),

	"is_null":    is(func(k kind) bool { return k == null }),
	"is_boolean": is(func(k kind) bool { return k == boolean }),
	"is_number":  is(kind.isNumber),
	"is_string":  is(func(k kind) bool { return k == text }),
	"is_array":   is(kind.isArray),
	"is_object":  is(kind.isObject),
	"is_set":     is(func(k kind) bool { return k == set }),

	"internal.member_2": {two: func(f *frame, a, b Value) Value { return boolValue(f.contains(b, a)) }, makes: boolKinds},
	"internal.member_3": {makes: boolKinds, fn: func(args []Value) Value {
		v := dot(args[2], args[0])
		return boolValue(v.k != undefined && equal(v, args[1]))
	}},

	"count": {takes: []kinds{textKinds | arrayKinds | objectKinds | setKinds}, makes: numberKinds, one: func(v Value) Value {
		switch {
		case v.k == text:
			return intValue(int64(utf8.RuneCountInString(v.string())))
		case v.k.order() < array.order():
			unexpected("count of what has no members")
		}
		return intValue(int64(v.length()))
	}},

	"plus":  arithmetic(func(a, b int64) (int64, bool) { c := a + b; return c, (c > a) == (b > 0) }),
	"minus": arithmetic(func(a, b int64) (int64, bool) { c := a - b; return c, (c < a) == (b > 0) }),
	"mul": arithmetic(func(a, b int64) (int64, bool) {
		if a == math.MinInt64 || b == math.MinInt64 {
			return 0, false
		}
		hi, lo := bits.Mul64(uint64(max(a, -a)), uint64(max(b, -b)))
		return a * b, hi == 0 && lo <= math.MaxInt64
	}),
}

// totals are builtins that go through OPA's values, and are never an error for
// arguments of these kinds.
var totals = map[string][]kinds{
	"sprintf":         {textKinds, arrayKinds},
	"object.get":      {objectKinds, anyKind, anyKind},
	"object.keys":     {objectKinds},
	"array.concat":    {arrayKinds, arrayKinds},
	"array.reverse":   {arrayKinds},
	"split":           {textKinds, textKinds},
	"replace":         {textKinds, textKinds, textKinds},
	"trim":            {textKinds, textKinds},
	"trim_left":       {textKinds, textKinds},
	"trim_right":      {textKinds, textKinds},
	"strings.reverse": {textKinds},
	"indexof":         {textKinds, textKinds},
	"type_name":       {anyKind},
	"json.marshal":    {anyKind},
	"and":             {setKinds, setKinds},
	"or":              {setKinds, setKinds},
	"sort":            {arrayKinds | setKinds},
	"abs":             {numberKinds},
	"ceil":            {numberKinds},
	"floor":           {numberKinds},
	"round":           {numberKinds},
}

// refused are builtins that need what only OPA's evaluation has.
var refused = map[string]bool{
	"trace": true, "internal.print": true, "internal.test_case": true,
	"rego.parse_module": true, "rego.metadata.chain": true, "rego.metadata.rule": true, "opa.runtime": true, "http.send": true,
}

// maxBuiltin ends a builtin that works without end, such as numbers.range of a number
// that a request names. OPA then tries, within its own time.
const maxBuiltin = 10 * time.Millisecond

// through calls a builtin of OPA's.
func through(name string, fn topdown.BuiltinFunc, total bool) func([]Value) Value {
	return func(args []Value) (result Value) {
		terms := make([]*ast.Term, len(args))
		for i, a := range args {
			terms[i] = ast.NewTerm(toAST(a))
		}
		bctx := topdown.BuiltinContext{Context: context.Background(), Cancel: topdown.NewCancel()}
		if !total {
			defer time.AfterFunc(maxBuiltin, bctx.Cancel.Cancel).Stop()
		}
		err := fn(bctx, terms, func(t *ast.Term) error {
			if result.k != undefined {
				unexpected("builtin %s gives several answers", name)
			}
			result = fromAST(t.Value)
			return nil
		})
		if err != nil {
			unexpected("builtin %s fails", name)
		}
		return result
	}
}

// matchRegex returns the test of a pattern, nil for one that is none.
func matchRegex(pattern string) func(string) bool {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil
	}
	return re.MatchString
}

// regexPrefix returns the text with which everything starts that the pattern after ^
// matches, and whether that is all it matches.
func regexPrefix(rest string) (prefix string, whole bool) {
	parsed, err := syntax.Parse("^"+rest, syntax.Perl)
	if err != nil || parsed.Op != syntax.OpConcat || len(parsed.Sub) < 2 || parsed.Sub[0].Op != syntax.OpBeginText {
		return "", false
	}
	literal := parsed.Sub[1]
	if literal.Op != syntax.OpLiteral || literal.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	// Without (?s) and (?m), $ is the end of the text and nothing else.
	whole = len(parsed.Sub) == 3 && parsed.Sub[2].Op == syntax.OpEndText
	return string(literal.Rune), whole
}

// matchGlob returns the test of a pattern, nil for one that is none. Delimiters that
// are empty mean a dot, and null means none, as in OPA.
func matchGlob(pattern string, delimiters Value) func(string) bool {
	var runes []rune
	switch {
	case delimiters.k == null:
	case delimiters.k.isArray():
		if delimiters.length() == 0 {
			runes = []rune{'.'}
		}
		for i := range delimiters.length() {
			d, ok := delimiters.at(i).Text()
			if !ok || utf8.RuneCountInString(d) != 1 {
				return nil
			}
			r, _ := utf8.DecodeRuneInString(d)
			runes = append(runes, r)
		}
	default:
		return nil
	}
	g, err := glob.Compile(pattern, runes...)
	if err != nil {
		return nil
	}
	return g.Match
}

// holds1 and holds2 are calls whose result has to be true, apply1, apply2 and
// applyAll those that set a variable to it.
type holds1 struct {
	fn func(Value) Value
	a  operand
}

func (o *holds1) holds(f *frame) bool { return o.fn(f.get(&o.a)).isTrue() }

type holds2 struct {
	fn   func(f *frame, a, b Value) Value
	a, b operand
}

func (o *holds2) holds(f *frame) bool { return o.fn(f, f.get(&o.a), f.get(&o.b)).isTrue() }

type apply1 struct {
	fn func(Value) Value
	a  operand
	to int32
}

func (o *apply1) holds(f *frame) bool { return f.put(o.to, o.fn(f.get(&o.a))) }

type apply2 struct {
	fn   func(f *frame, a, b Value) Value
	a, b operand
	to   int32
}

func (o *apply2) holds(f *frame) bool { return f.put(o.to, o.fn(f, f.get(&o.a), f.get(&o.b))) }

type applyAll struct {
	fn   func([]Value) Value
	args []operand
	to   int32
}

func (o *applyAll) holds(f *frame) bool {
	args := make([]Value, len(o.args))
	for i := range o.args {
		args[i] = f.get(&o.args[i])
	}
	f.look()
	v := o.fn(args)
	f.steps += v.length() // which were made
	f.step()
	return f.put(o.to, v)
}

// put sets a variable if there is a value.
func (f *frame) put(reg int32, v Value) bool {
	if v.k == undefined {
		return false
	}
	f.set(reg, v)
	return true
}
