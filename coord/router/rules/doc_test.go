// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// docBlocks returns the indented blocks of the package's documentation.
func docBlocks(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	var block strings.Builder
	for line := range strings.Lines(string(text)) {
		if code, ok := strings.CutPrefix(line, "//\t"); ok {
			block.WriteString(code)
			continue
		}
		if block.Len() > 0 {
			blocks = append(blocks, block.String())
			block.Reset()
		}
	}
	return blocks
}

func TestTheDocumentedSettingsAreTheDefaults(t *testing.T) {
	got, err := Parse([]byte(docBlocks(t)[0]))
	if err != nil {
		t.Fatal(err)
	}
	if want := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("documented:\n%+v\nin force:\n%+v", got, want)
	}
}

// A setting that nobody documents, even in a comment, is one that nobody finds.
func TestEverySettingIsDocumented(t *testing.T) {
	text := strings.Join(docBlocks(t), "\n")
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[Statuses]() {
			return
		}
		for f := range typ.Fields() {
			if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" && !strings.Contains(text, name+":") && !strings.Contains(text, name+": …") &&
				!strings.Contains(text, "or "+name) && !strings.Contains(text, ", "+name) {
				t.Errorf("doc.go does not show %q", name)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Document]())
}

func TestTheDocumentedRoutesCompile(t *testing.T) {
	doc, err := Parse([]byte(docBlocks(t)[1]))
	if err != nil {
		t.Fatal(err)
	}
	table, err := doc.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(table.Routes(), " "); got != "testers checkout reports" {
		t.Errorf("routes %s", got)
	}
	d := table.Route(&Request{GRPC: "/shop.Reports/Daily"}, nil)
	if d.Route != "reports" || d.Settings.Timeout.Seconds() != 30 || d.Settings.Retry.Attempts != 2 {
		t.Errorf("%v: %+v", d.String(), d.Settings)
	}
}
