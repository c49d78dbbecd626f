// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

func TestAnEmptyDocumentIsTheDefaults(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "a comment": "# later\n", "null": "null\n", "no fields": "{}", "a start": "---\n", "empty sections": "{routes: [], variants: {}}",
	} {
		doc, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := Default()
		if name == "empty sections" {
			want.Routes, want.Variants = []Route{}, map[string]Variant{}
		}
		if !reflect.DeepEqual(doc, want) {
			t.Errorf("%s: %+v", name, doc)
		}
	}
	if _, err := Default().Compile(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

func TestJSONAndYAMLAreRead(t *testing.T) {
	for name, text := range map[string]string{
		"YAML":                    "slow_start: 1m\nejection: {mode: off}\nfailure:\n  http: [429, 5xx, 900-999]\n  grpc: [RESOURCE_EXHAUSTED]\n",
		"JSON":                    `{"slow_start":"1m","ejection":{"mode":"off"},"failure":{"http":[429,"5xx","900-999"],"grpc":["RESOURCE_EXHAUSTED"]}}`,
		"JSON indented with tabs": "{\n\t\"slow_start\":\t\"1m\",\n\t\"ejection\": {\"mode\": \"off\"},\n\t\"failure\": {\"http\": [429, \"5xx\", \"900-999\"],\n\t\t\"grpc\": [\"RESOURCE_EXHAUSTED\"]}\n}",
	} {
		doc, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := Default()
		want.SlowStart, want.Ejection.Mode = time.Minute, Off
		want.Failure.HTTP = []Statuses{{429, 429}, {500, 599}, {900, 999}}
		want.Failure.GRPC = []codes.Code{codes.ResourceExhausted}
		if !reflect.DeepEqual(doc, want) {
			t.Errorf("%s: %+v", name, doc)
		}
	}
}

func TestWhatIsLeftOutIsInherited(t *testing.T) {
	doc, err := Parse([]byte(`
routes:                       # before what they inherit
  - name: a
  - name: b
    retry: {attempts: 4}
    hedge: {after: 0.5}
  - name: c
    hedge: {max: 0}
retry: {attempts: 3, per_try_timeout: 1s, methods: [GET]}
timeout: 9s
`))
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := doc.Routes[0], doc.Routes[1], doc.Routes[2]
	if !reflect.DeepEqual(a.Settings, doc.Settings) || a.Percent != 100 {
		t.Errorf("a route that says nothing has %+v", a)
	}
	want := doc.Settings
	want.Retry.Attempts, want.Hedge = 4, Hedge{After: 0.5, Max: 1}
	if !reflect.DeepEqual(b.Settings, want) {
		t.Errorf("a route that says a part has %+v, want %+v", b.Settings, want)
	}
	if doc.Hedge.Max != 0 || c.Hedge.Max != 0 {
		t.Errorf("hedging is on without its section, or with max 0: %+v, %+v", doc.Hedge, c.Hedge)
	}
}

func TestTheSectionTurnsHedgingOn(t *testing.T) {
	doc, err := Parse([]byte("hedge: {after: 0.9}\nroutes: [{name: a}, {name: b, hedge: {max: 0}}, {name: c, hedge: {max: 2}}]"))
	if err != nil {
		t.Fatal(err)
	}
	got := []Hedge{doc.Hedge, doc.Routes[0].Hedge, doc.Routes[1].Hedge, doc.Routes[2].Hedge}
	want := []Hedge{{0.9, 1}, {0.9, 1}, {0.9, 0}, {0.9, 2}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// list returns text for n entries.
func list(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, strings.ReplaceAll(format, "#", "%[1]d"), i)
	}
	return b.String()
}

// route1 is a document with two variants and one route, which says more.
func route1(more string) string {
	return "variants: {x: {version: 1}, y: {version: 2}}\nroutes: [{name: a, " + more + "}]"
}

func TestWhatIsRefusedNamesLineFieldValueAndLimit(t *testing.T) {
	long := strings.Repeat("a", maxText+1)
	for text, want := range map[string]string{
		// Form.
		"a: b: c":                             "line 1: the document is neither YAML nor JSON, want fields",
		"panic: 0.1\n---\n{}":                 "line 2: the document is more than one YAML document, want one",
		"[]":                                  "line 1: the document is a list, want fields",
		"text":                                `line 1: the document is "text", want fields`,
		"polcy: {}":                           "line 1: polcy is unknown, want one of policy, zone, subset, ejection, failure, slow_start, panic, timeout, retry, hedge, breaker, variants, routes",
		"panic: 0.1\n\npanic: 0.2":            "line 3: panic is given twice, want once",
		"zone: &z {prefer: true}\nsubset: *z": "line 2: subset is an alias, want what it stands for",
		"policy:":                             "line 1: policy is empty, want fields",
		"panic:":                              "line 1: panic is empty, want a number",
		"policy: []":                          "line 1: policy is a list, want fields",
		"routes: {}":                          "line 1: routes is fields, want a list",
		"? [a]\n: b":                          "line 1: the document is without a name for a field, want 1 to 1024 bytes",
		"policy: {name: {}}":                  "line 1: policy.name is fields, want text",
		"policy: {name: !!binary aGk=}":       `line 1: policy.name is of type "!!binary", want text`,
		"policy: {name: !ours x}":             `line 1: policy.name is of type "!ours", want text`,
		"policy: {name: " + long + "}":        "line 1: policy.name is 1025 bytes, want at most 1024",
		"panic: .nan":                         `line 1: panic is ".nan", want a number`,
		"panic: .inf":                         `line 1: panic is ".inf", want a number`,
		"panic: 1e999":                        `line 1: panic is "1e999", want a number`,
		`panic: "0.5"`:                        `line 1: panic is "0.5", want a number`,
		"subset: {min: 1.5}":                  `line 1: subset.min is "1.5", want a whole number`,
		"zone: {prefer: yes}":                 `line 1: zone.prefer is "yes", want true or false`,
		"slow_start: 30":                      `line 1: slow_start is "30", want a duration such as 1.5s`,
		"experiments: []":                     "line 1: experiments is unknown, want one of policy, zone, subset, ejection, failure, slow_start, panic, timeout, retry, hedge, breaker, variants, routes",
		route1("mirror: {variant: x}"):        "line 2: routes[0].mirror is unknown, want one of name, match, percent, split, sticky, timeout, retry, hedge, breaker",

		// Limits of what holds for all.
		"policy: {name: a/b}":                                   `line 1: policy.name is "a/b", want 1 to 128 letters, digits, dots, underscores and hyphens, a letter or digit first`,
		"policy: {probes: -1}":                                  "line 1: policy.probes is -1, want 0 to 16",
		"policy: {probes: 17}":                                  "line 1: policy.probes is 17, want 0 to 16",
		"policy: {probes_per_second: 10001}":                    "line 1: policy.probes_per_second is 10001, want 0 to 10000",
		"policy: {load_factor: 1}":                              "line 1: policy.load_factor is 1, want 1.01 to 100",
		"policy: {name: consistent_hash}":                       "line 1: policy.hash is empty, want what the policy consistent_hash hashes",
		"policy: {hash: {header: a, path: true}}":               "line 1: policy.hash is 2 of them, want one of header, cookie, claim, path",
		"policy: {hash: {header: 'a b'}}":                       `line 1: policy.hash.header is "a b", want a token of RFC 9110`,
		"subset: {min: 0}":                                      "line 1: subset.min is 0, want 1 to 10000",
		"slow_start: -1s":                                       "line 1: slow_start is -1s, want 0s to 1h0m0s",
		"panic: 1.1":                                            "line 1: panic is 1.1, want 0 to 1",
		"ejection: {mode: on}":                                  `line 1: ejection.mode is "on", want off, observe or act`,
		"ejection: {base: 301s}":                                "line 1: ejection.base is 5m1s, want 100ms to 5m0s",
		"ejection: {share: 2}":                                  "line 1: ejection.share is 2, want 0 to 1",
		"ejection: {consecutive: 0}":                            "line 1: ejection.consecutive is 0, want 1 to 1000",
		"ejection:\n  ratio: 0":                                 "line 2: ejection.ratio is 0, want more than 0 and at most 1",
		"ejection: {requests: 0}":                               "line 1: ejection.requests is 0, want 1 to 100000",
		"ejection: {success_rate_stdev: -1}":                    "line 1: ejection.success_rate_stdev is -1, want 0 to 100",
		"ejection: {latency_factor: 1}":                         "line 1: ejection.latency_factor is 1, want 1.5 to 1000",
		"failure: {http: [99]}":                                 `line 1: failure.http[0] is "99", want a status such as 503, a class such as 5xx or a range such as 500-504`,
		"failure: {http: [504-500]}":                            `line 1: failure.http[0] is "504-500", want a status such as 503, a class such as 5xx or a range such as 500-504`,
		"failure: {http: [0xx]}":                                `line 1: failure.http[0] is "0xx", want a status such as 503, a class such as 5xx or a range such as 500-504`,
		"failure: {http: [" + strings.Repeat("500,", 65) + "]}": "line 1: failure.http is 65 entries, want at most 64",
		"failure: {grpc: [unavailable]}":                        `line 1: failure.grpc[0] is "unavailable", want a gRPC code such as UNAVAILABLE`,
		"failure: {grpc: [OK]}":                                 "line 1: failure.grpc[0] is OK, want a code that is not OK or CANCELLED",
		"failure: {grpc: [CANCELLED]}":                          "line 1: failure.grpc[0] is Canceled, want a code that is not OK or CANCELLED",
		"failure: {classes: [a]}":                               "line 1: failure.header is empty, want the header that names the classes",
		"failure: {header: a, classes: [timeout]}":              `line 1: failure.classes[0] is "timeout", want another name: it has a meaning in retry.on`,
		"failure: {header: a, classes: ['']}":                   "line 1: failure.classes[0] is 0 bytes, want 1 to 1024",

		// Limits of what may differ by route.
		"timeout: 2h":                                 "line 1: timeout is 2h0m0s, want 0s to 1h0m0s",
		"retry: {attempts: 0}":                        "line 1: retry.attempts is 0, want 1 to 5",
		"retry: {attempts: 6}":                        "line 1: retry.attempts is 6, want 1 to 5",
		"timeout: 1s\nretry: {per_try_timeout: 2s}":   "line 2: retry.per_try_timeout is 2s, want at most the timeout, 1s",
		"retry: {budget: 1.5}":                        "line 1: retry.budget is 1.5, want 0 to 1",
		"retry: {min: -1}":                            "line 1: retry.min is -1, want 0 to 10000",
		"retry: {on: [overloaded]}":                   `line 1: retry.on[0] is "overloaded", want refused, unavailable, timeout, failure or one of failure.classes`,
		"retry: {methods: [get]}":                     `line 1: retry.methods[0] is "get", want a method in capitals`,
		"retry: {methods: [/shop.Orders]}":            `line 1: retry.methods[0] is "/shop.Orders", want /service/method, or /service/ for all of its methods`,
		"hedge: {after: 1}":                           "line 1: hedge.after is 1, want a quantile, more than 0 and less than 1",
		"hedge: {max: 4}":                             "line 1: hedge.max is 4, want 0 to 3",
		"breaker: {mode: maybe}":                      `line 1: breaker.mode is "maybe", want off, observe or act`,
		"breaker: {ratio: 1.5}":                       "line 1: breaker.ratio is 1.5, want more than 0 and at most 1",
		"breaker: {requests: 0}":                      "line 1: breaker.requests is 0, want 1 to 100000",
		"routes: [{name: a, breaker: {requests: 0}}]": "line 1: routes[0].breaker.requests is 0, want 1 to 100000",
		"routes: [{name: a, retry: {budget: 0.3}}]":   "line 1: routes[0].retry.budget is 0.3, want that of the service: its routes share one",
		"routes: [{name: a, retry: {min: 4}}]":        "line 1: routes[0].retry.min is 4, want that of the service: its routes share one budget",

		// Variants and routes.
		"variants: {a/b: {version: 1}}":                         `line 1: variants.a/b is "a/b", want 1 to 128 letters, digits, dots, underscores and hyphens, a letter or digit first`,
		"variants: {a: {}}":                                     "line 1: variants.a is empty, want a version or labels",
		"variants: {a: {labels: {x: ''}}}":                      "line 1: variants.a.labels.x is 0 bytes, want 1 to 1024",
		"variants: {" + list(65, "a#: {version: 1},") + "}":     "line 1: variants is 65 entries, want at most 64",
		"variants: {a: {labels: {" + list(33, "a#: x,") + "}}}": "line 1: variants.a.labels is 33 entries, want at most 32",
		"routes: [{}]":                                                             `line 1: routes[0].name is "", want 1 to 128 letters, digits, dots, underscores and hyphens, a letter or digit first`,
		"routes:\n- name: a\n- name: a":                                            `line 3: routes[1].name is "a", want another name than routes[0] has`,
		"routes: [" + list(101, "{name: a#},") + "]":                               "line 1: routes is 101 entries, want at most 100",
		route1("percent: 100.5"):                                                   "line 2: routes[0].percent is 100.5, want 0 to 100",
		route1("split: [{variant: z}]"):                                            `line 2: routes[0].split[0].variant is "z", want one of variants`,
		route1("split: [{variant: x}, {variant: x}]"):                              `line 2: routes[0].split[1].variant is "x", want each variant once`,
		route1("split: [{variant: x, weight: -1}]"):                                "line 2: routes[0].split[0].weight is -1, want 0 to 1e+06",
		route1("split: [{variant: x, weight: 0}]"):                                 "line 2: routes[0].split is of no weight, want an arm with a weight of more than 0",
		route1("split: [" + list(17, "{variant: x#},") + "]"):                      "line 2: routes[0].split is 17 entries, want at most 16",
		route1("sticky: {cookie: a, header: b}"):                                   "line 2: routes[0].sticky is 2 of them, want one of header, cookie, claim, path",
		"routes: [{name: a, sticky: {cookie: a}}, {name: b, sticky: {cookie: b}}]": `line 1: routes[1].sticky.cookie is "b", want "a": the routes of a document share one cookie`,

		// Matchers.
		route1("match: {methods: [post]}"):                                  `line 2: routes[0].match.methods[0] is "post", want a method in capitals`,
		route1("match: {path: /a}"):                                         `line 2: routes[0].match.path is "/a", want fields`,
		route1("match: {path: {}}"):                                         "",
		route1("match: {path: {exact: a}}"):                                 `line 2: routes[0].match.path is "a", want exact or prefix, beginning with /`,
		route1("match: {path: {present: true}}"):                            `line 2: routes[0].match.path is "", want exact or prefix, beginning with /`,
		route1("match: {path: {exact: /a, prefix: /b}}"):                    "line 2: routes[0].match.path is 2 of them, want one of exact, prefix, present: true, absent: true",
		route1("match: {grpc: shop.Orders/Get}"):                            `line 2: routes[0].match.grpc is "shop.Orders/Get", want /service/method, or /service/ for all of its methods`,
		route1("match: {grpc: /shop.Orders/, methods: [GET]}"):              `line 2: routes[0].match.grpc is "/shop.Orders/", want no methods and path beside it: no request has both`,
		route1("match: {headers: {'a b': {present: true}}}"):                `line 2: routes[0].match.headers is "a b", want a token of RFC 9110`,
		route1("match: {headers: {a: {present: false}}}"):                   "line 2: routes[0].match.headers.a is 0 of them, want one of exact, prefix, present: true, absent: true",
		route1("match: {headers: {a: {present: true}, A: {absent: true}}}"): "line 2: routes[0].match.headers.a is given twice, want each header once, in any case",
		route1("match: {claims: {a: {}}}"):                                  "line 2: routes[0].match.claims.a is 0 of them, want one of exact, prefix, present: true, absent: true",
		route1("match: {caller: {zone: ''}}"):                               "line 2: routes[0].match.caller.zone is 0 bytes, want 1 to 1024",
		route1("match: {caller: {" + list(17, "a#: x,") + "}}"):             "line 2: routes[0].match is 17 entries, want at most 16",
		strings.Repeat(" ", MaxBytes+1):                                     "the document is 262145 bytes, want at most 262144",
	} {
		name := text
		if len(name) > 60 {
			name = name[:60] + "…"
		}
		_, err := Parse([]byte(text))
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", name, err)
			}
			continue
		}
		refused, ok := errors.AsType[*Error](err)
		switch {
		case !ok:
			t.Errorf("%q: %v, want %s", name, err, want)
		case err.Error() != "rules: "+want:
			t.Errorf("%q:\n got %s\nwant rules: %s", name, err, want)
		case refused.Value == "" || refused.Want == "":
			t.Errorf("%q: %+v names no value or no limit", name, refused)
		}
	}
}

// A number is a text too, where a text is wanted: 1.10 is a version.
func TestTextIsTakenAsItIsWritten(t *testing.T) {
	doc, err := Parse([]byte("variants: {a: {version: 1.10}, b: {version: 0x1F}, c: {version: true}, d: {version: 2026-11-28}}"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "1.10", "b": "0x1F", "c": "true", "d": "2026-11-28"} {
		if got := doc.Variants[name].Version; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestOnlyCompileKnowsThePolicies(t *testing.T) {
	doc, err := Parse([]byte("policy: {name: ours}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Compile("ours"); err != nil {
		t.Errorf("with the policy: %v", err)
	}
	_, err = doc.Compile()
	want := `rules: policy.name is "ours", want one of adaptive, prequal, round_robin, least_request, p2c_ewma, weighted, consistent_hash`
	if err == nil || err.Error() != want {
		t.Errorf("without: %v, want %s", err, want)
	}
}

func TestCompileChecksWhatAProgramMade(t *testing.T) {
	doc := Default()
	doc.Routes = []Route{{Name: "a", Percent: 100}} // without Settings
	if _, err := doc.Compile(); err == nil || err.Error() != "rules: routes[0].retry.attempts is 0, want 1 to 5" {
		t.Errorf("%v", err)
	}
	doc.Routes[0].Settings = doc.Settings
	if _, err := doc.Compile(); err != nil {
		t.Error(err)
	}
}

func TestStatusesPrintAsTheyAreWritten(t *testing.T) {
	for _, text := range []string{"503", "5xx", "500-504", "100-999"} {
		var s Statuses
		if err := s.UnmarshalText([]byte(text)); err != nil || s.String() != text {
			t.Errorf("%s prints as %s, %v", text, s, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "a: [", `{"routes": [{"name": "a"}]}`, route1("percent: 10, split: [{variant: x}, {variant: y, weight: 3}], sticky: {cookie: c}"),
		route1("match: {methods: [GET], path: {prefix: /a}, headers: {x: {exact: y}}, cookies: {x: {absent: true}}, claims: {x: {present: true}}, caller: {zone: a}}"),
		"failure: {http: [5xx, 429], grpc: [INTERNAL], header: x, classes: [a]}\nretry: {on: [a]}", "&a [*a]", "? {a: b}\n: c", "{0: 1}", "- {0}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := Parse(text)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%v is not an *Error", err)
			}
			return
		}
		table, err := doc.Compile(doc.Policy.Name)
		if err != nil {
			t.Fatalf("parsed, and not compiled: %v", err)
		}
		for _, r := range []Request{
			{Method: "GET", Path: "/a", Header: map[string][]string{"X": {"y"}, "Cookie": {"c=1; x"}}},
			{GRPC: "/shop.Orders/Get", Header: map[string][]string{"x": {"y"}}},
		} {
			d := table.Route(&r, func() uint64 { return 1 << 63 })
			if d.Settings == nil || d.Variant != "" && table.Variant(d.Variant) == nil {
				t.Fatalf("%+v", d)
			}
		}
	})
}
