// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write attributes.yaml anew")

// facts are what the Go package of the semantic conventions tells.
type facts struct {
	attributes map[string]string // key to the rest of the line
	constants  map[string]string // of Go to key
	members    map[string][]string
	metrics    map[string]string
}

// TestTheEmbeddedRegistryIsThatOfTheSemanticConventions makes attributes.yaml from
// go.opentelemetry.io/otel/semconv, and compares. With -update it writes the file.
func TestTheEmbeddedRegistryIsThatOfTheSemanticConventions(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "go.opentelemetry.io/otel/semconv/v"+SemconvVersion).Output()
	if err != nil {
		t.Skipf("the source of the semantic conventions is not here: %v", err)
	}
	dir := strings.TrimSpace(string(out))
	f := facts{map[string]string{}, map[string]string{}, map[string][]string{}, map[string]string{}}
	f.readAttributes(t, filepath.Join(dir, "attribute_group.go"))
	files, _ := filepath.Glob(filepath.Join(dir, "*conv", "*.go"))
	for _, file := range files {
		f.readMetrics(t, file)
	}
	want := f.yaml()
	if *update {
		if err := os.WriteFile("attributes.yaml", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want, attributesYAML) {
		t.Error("attributes.yaml is not what the semantic conventions say: run go test ./semconvprocessor/internal/registry -update")
	}
}

var (
	typeLine      = regexp.MustCompile(`(?m)^Type: (.*)$`)
	stabilityLine = regexp.MustCompile(`(?m)^Stability: (.*)$`)
)

func (f *facts) readAttributes(t *testing.T, path string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				v, ok := spec.(*ast.ValueSpec)
				if !ok || len(v.Values) != 1 {
					continue
				}
				call, ok := v.Values[0].(*ast.CallExpr)
				if !ok {
					continue
				}
				if decl.Tok == token.CONST {
					f.constant(v, call)
				} else {
					f.member(call)
				}
			}
		case *ast.FuncDecl:
			f.template(decl)
		}
	}
}

// constant is such as HTTPRouteKey = attribute.Key("http.route").
func (f *facts) constant(v *ast.ValueSpec, call *ast.CallExpr) {
	key := text(call.Args[0])
	f.constants[v.Names[0].Name] = key
	doc := v.Doc.Text()
	typ, stage := "any", ""
	if m := typeLine.FindStringSubmatch(doc); m != nil {
		typ = strings.TrimSpace(m[1])
	}
	if m := stabilityLine.FindStringSubmatch(doc); m != nil {
		stage = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(m[1]), " ", "_"))
	}
	f.attributes[key] = typ + "\x00" + stage
}

// member is such as HTTPRequestMethodKey.String("GET").
func (f *facts) member(call *ast.CallExpr) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) != 1 {
		return
	}
	of, ok := sel.X.(*ast.Ident)
	if !ok {
		return
	}
	key := f.constants[of.Name]
	if lit, ok := call.Args[0].(*ast.BasicLit); ok && key != "" {
		f.members[key] = append(f.members[key], lit.Value)
	}
}

// template is a function that joins a key: attribute.String("k8s.pod.label."+key, val).
func (f *facts) template(fn *ast.FuncDecl) {
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		joined, ok := call.Args[0].(*ast.BinaryExpr)
		if !ok {
			return true
		}
		key := strings.TrimSuffix(text(joined.X), ".")
		typ := map[string]string{
			"String": "string", "StringSlice": "string[]", "Int": "int", "IntSlice": "int[]", "Float64": "double",
			"Float64Slice": "double[]", "Bool": "boolean", "BoolSlice": "boolean[]",
		}[call.Fun.(*ast.SelectorExpr).Sel.Name]
		stage := ""
		if m := stabilityLine.FindStringSubmatch(fn.Doc.Text()); m != nil {
			stage = strings.ToLower(m[1])
		}
		f.attributes[key] = "template[" + typ + "]\x00" + stage
		return true
	})
}

var instruments = map[string]string{
	"Counter": "counter", "UpDownCounter": "updowncounter", "Gauge": "gauge", "Histogram": "histogram",
	"ObservableCounter": "counter", "ObservableUpDownCounter": "updowncounter", "ObservableGauge": "gauge",
}

// readMetrics reads the types that embed an instrument, such as
// struct{ metric.Float64Histogram }, and their methods.
func (f *facts) readMetrics(t *testing.T, path string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	type found struct{ name, unit, instrument, required string }
	types := map[string]*found{}
	for _, decl := range file.Decls {
		if g, ok := decl.(*ast.GenDecl); ok && g.Tok == token.TYPE {
			for _, spec := range g.Specs {
				ts := spec.(*ast.TypeSpec)
				if s, ok := ts.Type.(*ast.StructType); ok && len(s.Fields.List) == 1 {
					if sel, ok := s.Fields.List[0].Type.(*ast.SelectorExpr); ok {
						name := strings.TrimPrefix(strings.TrimPrefix(sel.Sel.Name, "Int64"), "Float64")
						types[ts.Name.Name] = &found{instrument: instruments[name]}
					}
				}
			}
		}
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Recv == nil {
			continue
		}
		on, ok := fn.Recv.List[0].Type.(*ast.Ident)
		if !ok || types[on.Name] == nil {
			continue
		}
		m := types[on.Name]
		switch fn.Name.Name {
		case "Name":
			m.name = text(fn.Body.List[0].(*ast.ReturnStmt).Results[0])
		case "Unit":
			m.unit = text(fn.Body.List[0].(*ast.ReturnStmt).Results[0])
		case "Add", "Record":
			var keys []string
			ast.Inspect(fn, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 2 {
					if sel, ok := call.Fun.(*ast.SelectorExpr); ok && fmt.Sprint(sel.X) == "attribute" {
						if key := text(call.Args[0]); !slices.Contains(keys, key) {
							keys = append(keys, key)
						}
					}
				}
				return true
			})
			m.required = strings.Join(keys, ", ")
		}
	}
	for _, m := range types {
		if m.name == "" || m.instrument == "" {
			continue
		}
		line := fmt.Sprintf("instrument: %s, unit: %q", m.instrument, m.unit)
		if m.required != "" {
			line += ", required: [" + m.required + "]"
		}
		// The observable variant of an instrument does not tell what is required.
		if len(line) > len(f.metrics[m.name]) {
			f.metrics[m.name] = line
		}
	}
}

func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

func (f *facts) yaml() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Made from go.opentelemetry.io/otel/semconv/v%s by a test of this package. DO NOT EDIT.\n", SemconvVersion)
	fmt.Fprintf(&b, "extends: none\nattributes:\n")
	for _, line := range sortedLines(f.attributes) {
		key, rest, _ := strings.Cut(line, "\x01")
		typ, stage, _ := strings.Cut(rest, "\x00")
		if typ == "Enum" {
			typ = "{members: [" + strings.Join(f.members[key], ", ") + "]}"
			if len(f.members[key]) == 0 {
				typ = "string"
			}
		} else {
			typ = strconv.Quote(typ)
		}
		fmt.Fprintf(&b, "  - {key: %s, type: %s", key, typ)
		if stage != "" {
			fmt.Fprintf(&b, ", stability: %s", stage)
		}
		fmt.Fprintf(&b, "}\n")
	}
	fmt.Fprintf(&b, "metrics:\n")
	for _, line := range sortedLines(f.metrics) {
		name, rest, _ := strings.Cut(line, "\x01")
		fmt.Fprintf(&b, "  - {name: %s, %s}\n", name, rest)
	}
	return b.Bytes()
}

func sortedLines(m map[string]string) []string {
	var lines []string
	for k, v := range m {
		lines = append(lines, k+"\x01"+v)
	}
	slices.Sort(lines)
	return lines
}
