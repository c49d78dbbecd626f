// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const blockDocument = `# Who is responsible: team checkout.
variants:
  stable: {version: 1.4.0}
  canary: {version: 1.5.0}   # since Monday
  next:   {labels: {tier: "é"}}

routes:
  - name: checkout
    # before holidays: stable only
    split:
      - variant: stable   # the old one
        weight: 9
      - variant: canary   # the new one
        weight: 1
    timeout: 2s
  - name: rest            # é
    match: {methods: [GET]}
    split: [{variant: stable}]
  - name: all
`

func TestASplitIsRewrittenWhereItStands(t *testing.T) {
	for _, tt := range []struct {
		name, text, route string
		arms              []Arm
		old, next         string // what of the text is replaced by what
	}{
		{
			"other weights replace the numbers alone", blockDocument, "checkout",
			[]Arm{{"canary", 2.5}, {"stable", 7.5}},
			"        weight: 9\n      - variant: canary   # the new one\n        weight: 1\n",
			"        weight: 7.5\n      - variant: canary   # the new one\n        weight: 2.5\n",
		},
		{
			"an arm that is left out goes with its lines", blockDocument, "checkout",
			[]Arm{{"stable", 1}},
			"        weight: 9\n      - variant: canary   # the new one\n        weight: 1\n",
			"        weight: 1\n",
		},
		{
			"a new arm comes last", blockDocument, "checkout",
			[]Arm{{"next", 1}, {"stable", 9}, {"canary", 1}},
			"        weight: 1\n    timeout: 2s\n",
			"        weight: 1\n      - {variant: next, weight: 1}\n    timeout: 2s\n",
		},
		{
			"all arms may be others", blockDocument, "checkout",
			[]Arm{{"next", 1}},
			"      - variant: stable   # the old one\n        weight: 9\n      - variant: canary   # the new one\n        weight: 1\n",
			"      - {variant: next, weight: 1}\n",
		},
		{
			"a list in brackets is replaced", blockDocument, "rest",
			[]Arm{{"stable", 9}, {"canary", 1}},
			"    split: [{variant: stable}]\n", "    split: [{variant: stable, weight: 9}, {variant: canary, weight: 1}]\n",
		},
		{
			"a route without a split gets one, though the text ends there", strings.TrimSuffix(blockDocument, "\n"), "all",
			[]Arm{{"canary", 1}},
			"  - name: all", "  - name: all\n    split: [{variant: canary, weight: 1}]",
		},
		{
			"a weight that was not written is, on a line of its own",
			"variants: {a: {version: \"1\"}, b: {version: \"2\"}}\nroutes:\n- name: x\n  split:\n  - variant: a\n  - {variant: b}\n", "x",
			[]Arm{{"a", 2}, {"b", 3}},
			"  - variant: a\n  - {variant: b}\n", "  - variant: a\n    weight: 2\n  - {variant: b, weight: 3}\n",
		},
		{
			"JSON stays JSON", `{"variants": {"a": {"version": "1"}, "b": {"version": "2"}}, "routes": [{"name": "x"}]}`, "x",
			[]Arm{{"a", 1}, {"b", 3}},
			`{"name": "x"}`, `{"name": "x", "split": [{"variant": "a", "weight": 1}, {"variant": "b", "weight": 3}]}`,
		},
		{
			"a name that YAML would take for a number is quoted",
			"variants: {\"1.4\": {version: \"1\"}, no: {version: \"2\"}}\nroutes: [{name: x, split: []}]\n", "x",
			[]Arm{{"1.4", 1}, {"no", 1}},
			"split: []", `split: [{variant: "1.4", weight: 1}, {variant: no, weight: 1}]`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Resplit([]byte(tt.text), tt.route, tt.arms)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(tt.text, tt.old, tt.next, 1); string(got) != want || want == tt.text {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestASplitThatMakesNoDocumentIsRefused(t *testing.T) {
	_, err := Resplit([]byte(blockDocument), "checkout", []Arm{{"blue", 1}})
	if e, ok := errors.AsType[*Error](err); !ok || e.Field != "routes[0].split[0].variant" {
		t.Errorf("an unknown variant: %v", err)
	}
	_, err = Resplit([]byte(blockDocument), "checkout", []Arm{{"stable", 0}})
	if _, ok := errors.AsType[*Error](err); !ok {
		t.Errorf("no weight at all: %v", err)
	}
	_, err = Resplit([]byte(blockDocument), "nightly", []Arm{{"stable", 1}})
	if e, ok := errors.AsType[*UnknownRouteError](err); !ok || strings.Join(e.Routes, " ") != "checkout rest all" {
		t.Errorf("an unknown route: %v", err)
	}
	// The closing brace is on a line of its own, in the middle of what would be a line to remove.
	odd := "variants: {a: {version: \"1\"}, b: {version: \"2\"}}\nroutes:\n- name: x\n  split:\n  - {variant: a\n    }\n  - {variant: b}\n"
	_, err = Resplit([]byte(odd), "x", []Arm{{"b", 1}})
	if e, ok := errors.AsType[*RewriteError](err); !ok || e.Line != 3 {
		t.Errorf("text that only a person can change: %v", err)
	}
}

// Whatever a document looks like: it is refused, or says afterwards what it said before and
// the new split.
func FuzzResplit(f *testing.F) {
	for _, text := range []string{
		blockDocument, "routes: [{name: a, split: []}]\nvariants: {stable: {version: \"1\"}}", "{\"routes\": [{\"name\":\n\t\"a\"}], \"variants\": {\"stable\": {\"version\": \"1\"}}}",
		"variants:\r\n  stable: {version: x}\r\nroutes:\r\n- name: a\r\n  split:\r\n  - variant: stable\r\n    weight: 3",
		"variants: {stable: {version: x}}\nroutes:\n- name: \"a#'\"\n  match: {path: {exact: 'it''s ]'}} # ]\n  split:\n  - {variant: stable, weight: 0x3}\n",
	} {
		f.Add([]byte(text), 2.0)
	}
	f.Fuzz(func(t *testing.T, text []byte, weight float64) {
		doc, err := Parse(text)
		if err != nil || len(doc.Routes) == 0 {
			return
		}
		arms := []Arm{{"stable", weight}}
		next, err := Resplit(text, doc.Routes[0].Name, arms)
		if err != nil {
			return
		}
		got, err := Parse(next)
		if err != nil {
			t.Fatal(err)
		}
		doc.Routes[0].Split = arms
		if !reflect.DeepEqual(got, doc) {
			t.Errorf("%q became %q", text, next)
		}
	})
}
