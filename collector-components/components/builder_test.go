// SPDX-License-Identifier: Apache-2.0

package components_test

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/components"
)

// TestTheBuilderMakesACollectorOfTheSameComponents runs the OpenTelemetry Collector
// Builder on distribution's manifest, as far as its code, and compares what that imports.
func TestTheBuilderMakesACollectorOfTheSameComponents(t *testing.T) {
	text, err := os.ReadFile("../distribution/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	manifest := filepath.Join(dir, "manifest.yaml")
	here := strings.Replace(string(text), "output_path: ./build", "output_path: "+dir, 1)
	if err := os.WriteFile(manifest, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	tools, err := filepath.Abs("../internal/tools/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	builder := exec.CommandContext(t.Context(), "go", "tool", "-modfile="+tools, "builder", "--skip-compilation", "--skip-get-modules", "--config", manifest)
	builder.Env = append(os.Environ(), "GOWORK=off")
	if out, err := builder.CombinedOutput(); err != nil {
		t.Fatalf("the builder: %v\n%s", err, out)
	}

	var imported []string
	for _, file := range []string{"components.go", "main.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if spec.Name != nil && spec.Name.Name != "_" && !strings.Contains(path, "/service/telemetry/") {
				imported = append(imported, path) // the builder names the components' packages, and no others
			}
		}
	}
	var listed []string
	for _, packages := range components.Packages() {
		listed = append(listed, packages...)
	}
	slices.Sort(imported)
	slices.Sort(listed)
	if !slices.Equal(imported, listed) {
		t.Errorf("the builder imports\n%s\nexpected the packages of package components,\n%s", strings.Join(imported, "\n"), strings.Join(listed, "\n"))
	}
}
