// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestEveryNameOfOursIsDocumented holds docs/telemetry.md to the constants of
// otelplat/semconv and to the metadata of the collector's components.
func TestEveryNameOfOursIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(checkout(t), "docs", "telemetry.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(checkout(t), "otelplat", "semconv", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			name := strings.Trim(lit.Value, `"`)
			if !strings.HasPrefix(name, "otelplat.") && !strings.HasPrefix(name, "otelcol_") {
				return true
			}
			names++
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/telemetry.md does not list `%s` of %s", name, filepath.Base(path))
			}
			return true
		})
	}
	metadata, err := filepath.Glob(filepath.Join(checkout(t), "collector-components", "*", "metadata.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range metadata {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Telemetry struct {
				Metrics map[string]any `yaml:"metrics"`
			} `yaml:"telemetry"`
		}
		if err := yaml.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		for name := range m.Telemetry.Metrics {
			names++
			if !strings.Contains(string(page), "`otelcol_"+name+"`") {
				t.Errorf("docs/telemetry.md does not list `otelcol_%s` of %s", name, path)
			}
		}
	}
	if names < 20 {
		t.Errorf("%d names found: the test reads the wrong files", names)
	}
}
