// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/otelplat/platform/policy/compile"
)

// inputsInAll is how many inputs all policies of the corpus are asked together.
const inputsInAll = 400_000

// policyText is one policy of the corpus.
type policyText struct {
	name string // area and title
	text string
	data map[string]any
}

// corpus reads testdata/corpus: policies with a title each, and data in a comment.
func corpus(t testing.TB) []policyText {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.rego")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	var list []policyText
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		area := strings.TrimSuffix(filepath.Base(file), ".rego")
		for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			title, body, _ := strings.Cut(part, "\n")
			p := policyText{name: area + "/" + title, text: body + "\n", data: map[string]any{}}
			for line := range strings.Lines(body) {
				if raw, ok := strings.CutPrefix(line, "# data: "); ok {
					if err := util.UnmarshalJSON([]byte(raw), &p.data); err != nil {
						t.Fatalf("%s: data: %v", p.name, err)
					}
				}
			}
			list = append(list, p)
		}
	}
	return list
}

func (p policyText) compile(t testing.TB) *subject {
	t.Helper()
	compiler, err := p.compiler()
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	return newSubject(t, compiler, p.data)
}

func (p policyText) compiler() (*ast.Compiler, error) {
	return ast.CompileModulesWithOpt(map[string]string{p.name: p.text}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
}

// TestAnswersNeverDifferFromOPAs asks each policy of the corpus, and those made by chance,
// many inputs, made of what the policy reads and compares with: the lowered program gives the answer of
// OPA's plain evaluation, or leaves the input to OPA.
func TestAnswersNeverDifferFromOPAs(t *testing.T) {
	policies := corpus(t)
	for _, p := range madeUp(200) { // what was made by chance need not make sense
		if _, err := p.compiler(); err == nil {
			policies = append(policies, p)
		}
	}
	if len(policies) < 270 {
		t.Errorf("the corpus has %d policies", len(policies))
	}
	each := inputsInAll/len(policies) + 1
	if testing.Short() || race {
		each /= 20
	}
	var asked, surprises, tame, rules, lowered, screens int
	for _, p := range policies {
		t.Run(p.name, func(t *testing.T) {
			s := p.compile(t)
			g := newGenerator(s, uint64(len(p.text)))
			type pair struct {
				path    string
				program *compile.Program
				oracle  *oracle
			}
			var pairs []pair
			for _, path := range paths(s.compiler) {
				rules++
				program, refused := lower(t, s, path)
				if refused != nil {
					t.Logf("%s: %v", path, refused)
				} else {
					lowered++
				}
				pairs = append(pairs, pair{path.String(), program, s.oracle(t, path.String(), true)})
			}
			answers := make(map[string]bool)
			for range each {
				input := g.document()
				document := ast.MustInterfaceToValue(input)
				asked++
				for _, x := range pairs {
					want := x.oracle.ask(document)
					answers[fmt.Sprintf("%s %v", x.path, want)] = true
					if x.program == nil {
						continue
					}
					if screened(x.program, input) {
						if screens++; !want.nothing() {
							text, _ := json.Marshal(input)
							t.Fatalf("%s of %s\n has %#v, and its screen misses\n%s", x.path, text, want, p.text)
						}
					}
					got, surprised := ask(t, x.program, input)
					if fresh, again, also := askRecords(t, x.program, input); !also && (!fresh.equal(want) || !again.equal(want)) {
						text, _ := json.Marshal(input)
						t.Fatalf("%s of %s\n as records %#v\n again      %#v\n want       %#v\n%s", x.path, text, fresh, again, want, p.text)
					}
					if surprised {
						if surprises++; g.tame {
							tame++
						}
						continue
					}
					if !got.equal(want) {
						text, _ := json.Marshal(input)
						t.Fatalf("%s of %s\n got  %#v\n want %#v\n%s", x.path, text, got, want, p.text)
					}
				}
			}
			if len(answers) < len(pairs)+1 && each > 1000 {
				t.Errorf("%d rules give only %d answers: the inputs test nothing", len(pairs), len(answers))
			}
		})
	}
	if screens < asked/20 {
		t.Errorf("the screens told of %d answers to %d inputs: too few to tell anything", screens, asked)
	}
	t.Logf("%d answers were told by a screen", screens)
	t.Logf("%d policies, %d inputs; of %d rules %d are lowered; %d answers were left to OPA, %d of them on inputs as expected", len(policies), asked, rules, lowered, surprises, tame)
}

// generator makes inputs of a policy's own paths and constants.
type generator struct {
	rnd       *rand.Rand
	paths     [][]string // "*" stands for any member
	recent    []any      // scalars of the document that is being made
	tame      bool       // the document is one that the policy expects
	constants []any
}

func newGenerator(s *subject, seed uint64) *generator {
	g := &generator{rnd: rand.New(rand.NewPCG(seed, 1))}
	for _, name := range slices.Sorted(keys(s.compiler.Modules)) {
		for _, r := range s.compiler.Modules[name].Rules {
			g.learn(r)
		}
	}
	g.learnData(s.data, 0)
	if len(g.paths) == 0 {
		g.paths = [][]string{{"x"}}
	}
	return g
}

// learn collects what a rule reads and compares with. A variable that is set to a
// path stands for it.
func (g *generator) learn(r *ast.Rule) {
	known := map[ast.Var][]string{"input": {}}
	path := func(ref ast.Ref) ([]string, bool) {
		head, ok := ref[0].Value.(ast.Var)
		from, ok2 := known[head]
		if !ok || !ok2 {
			return nil, false
		}
		p := slices.Clone(from)
		for _, t := range ref[1:] {
			if s, ok := t.Value.(ast.String); ok {
				p = append(p, string(s))
			} else {
				p = append(p, "*")
			}
		}
		return p, true
	}
	term := func(t *ast.Term) ([]string, bool) {
		switch v := t.Value.(type) {
		case ast.Var:
			p, ok := known[v]
			return p, ok && len(p) > 0
		case ast.Ref:
			return path(v)
		}
		return nil, false
	}
	for range 3 { // variables of variables
		ast.WalkExprs(r, func(e *ast.Expr) bool {
			if every, ok := e.Terms.(*ast.Every); ok {
				if p, ok := term(every.Domain); ok {
					known[every.Value.Value.(ast.Var)] = append(slices.Clone(p), "*")
				}
			}
			if e.IsCall() && e.Operator().String() == "internal.member_2" {
				if p, ok := term(e.Operand(1)); ok {
					g.add(append(slices.Clone(p), "*"))
				}
			}
			if !e.IsEquality() {
				return false
			}
			for i := range 2 {
				if v, ok := e.Operand(i).Value.(ast.Var); ok && !strings.HasPrefix(string(v), "$") {
					if p, ok := term(e.Operand(1 - i)); ok && known[v] == nil {
						known[v] = p
					}
				}
			}
			return false
		})
	}
	ast.WalkTerms(r, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Ref:
			if p, ok := path(v); ok && len(p) > 0 {
				g.add(p)
			}
		case ast.String:
			g.constants = append(g.constants, string(v))
		case ast.Number:
			g.constants = append(g.constants, json.Number(string(v)))
		case *ast.Array, ast.Object:
			if x, err := ast.JSON(t.Value); err == nil && t.IsGround() {
				g.constants = append(g.constants, x)
			}
		}
		return false
	})
}

func (g *generator) add(path []string) {
	if !slices.ContainsFunc(g.paths, func(q []string) bool { return slices.Equal(path, q) }) {
		g.paths = append(g.paths, path)
	}
}

func (g *generator) learnData(x any, depth int) {
	switch x := x.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(keys(x)) {
			if depth > 0 {
				g.constants = append(g.constants, k)
			}
			g.learnData(x[k], depth+1)
		}
	case []any:
		for _, v := range x {
			g.learnData(v, depth+1)
		}
	default:
		g.constants = append(g.constants, x)
	}
}

// strange are values that policies do not expect.
var strange = []any{
	nil, true, false, 0, 1, -1, 2, 3, 6.0, 0.1, 1e6, 1e21, math.Copysign(0, -1), 5.5, int64(9223372036854775807), int64(-9223372036854775808),
	json.Number("1.0"), json.Number("1e0"), json.Number("0.10"), json.Number("9007199254740993"), json.Number("9223372036854775808"),
	json.Number("100000000000000000000"), json.Number("1e400"), json.Number("-1e400"), json.Number("1e-400"), json.Number("3.0000000000000000000001"), json.Number("-0"),
	"", " ", "x", "a", "a\nb", "A", "é", "日本語", "Zoë", "\x00", "1", strings.Repeat("long", 50), "10.1.2.3", "192.168.1.1", "::1",
	[]any{}, []any{1}, []any{"a", nil}, []any{[]any{1, 2}, "x"}, map[string]any{}, map[string]any{"a": 1}, map[string]any{"0": "x", "1": json.Number("1")},
	[]string{"a", "admin"}, []any{map[string]any{"a": []any{}}},
}

func (g *generator) pick(list []any) any { return copied(list[g.rnd.IntN(len(list))]) }

// copied lets a value be put in many places, and be changed in each.
func copied(x any) any {
	switch x := x.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, v := range x {
			m[k] = copied(v)
		}
		return m
	case []any:
		list := make([]any, len(x))
		for i, v := range x {
			list[i] = copied(v)
		}
		return list
	}
	return x
}

func (g *generator) scalar() any {
	if len(g.recent) > 0 && g.rnd.IntN(4) == 0 {
		return g.pick(g.recent)
	}
	v := g.fresh()
	g.recent = append(g.recent, copied(v))
	return v
}

func (g *generator) fresh() any {
	n := g.rnd.IntN(100)
	switch {
	case g.tame && len(g.constants) > 0:
		return g.pick(g.constants)
	case n < 65 && len(g.constants) > 0:
		return g.near(g.pick(g.constants))
	case n < 80:
		return g.rnd.IntN(12)
	}
	return g.pick(strange)
}

// near returns a constant, or something like it.
func (g *generator) near(c any) any {
	n := g.rnd.IntN(20)
	switch c := c.(type) {
	case string:
		switch n {
		case 0:
			return c + "x"
		case 1:
			return "x" + c
		case 2:
			return c[:len(c)/2]
		case 3:
			return strings.ToUpper(c)
		case 4:
			return c + "/b/c"
		}
	case json.Number:
		f, err := c.Float64()
		switch {
		case err != nil:
		case n == 0:
			return f + 1
		case n == 1:
			return f - 1
		case n == 2:
			return f
		case n == 3:
			if _, err := c.Int64(); err == nil {
				return json.Number(c.String() + ".0")
			}
		case n == 4:
			return c.String()
		case n < 10:
			if i, err := strconv.Atoi(c.String()); err == nil {
				return i
			}
		}
	}
	return c
}

// document makes an input.
func (g *generator) document() any {
	if g.rnd.IntN(200) == 0 {
		return g.pick(strange)
	}
	var root any = map[string]any{}
	g.recent, g.tame = nil, g.rnd.IntN(2) == 0
	for _, p := range g.paths {
		if !g.tame && g.rnd.IntN(100) < 15 {
			continue
		}
		root = g.put(root, p)
	}
	return root
}

// put sets a path of a document, to what may be a scalar where the policy expects
// more, and more where it expects a scalar.
func (g *generator) put(at any, path []string) any {
	if len(path) == 0 {
		if at != nil {
			return at
		}
		if !g.tame && g.rnd.IntN(8) == 0 {
			list := make([]any, g.rnd.IntN(4))
			for i := range list {
				list[i] = g.scalar()
			}
			return list
		}
		return g.scalar()
	}
	if !g.tame && g.rnd.IntN(60) == 0 {
		return g.scalar()
	}
	if path[0] == "*" {
		if m, ok := at.(map[string]any); ok && len(m) > 0 || g.rnd.IntN(8) == 0 {
			if m == nil {
				m = map[string]any{}
			}
			for range g.rnd.IntN(4) {
				k := fmt.Sprint(g.scalar())
				m[k] = g.put(m[k], path[1:])
			}
			return m
		}
		list, _ := at.([]any)
		if list == nil {
			list = make([]any, g.rnd.IntN(4))
		}
		for i := range list {
			list[i] = g.put(list[i], path[1:])
		}
		return list
	}
	m, ok := at.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	m[path[0]] = g.put(m[path[0]], path[1:])
	return m
}
