// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/otelplat/platform/coord/router/rules"
)

// A tenth of the users have the new version, the same ones in every process.
func Example() {
	doc, err := rules.Parse([]byte(`
timeout: 2s
variants:
  stable: {version: 1.4.0}
  canary: {version: 1.5.0}
routes:
  - name: checkout
    match: {methods: [POST], path: {prefix: /checkout}}
    split: [{variant: stable, weight: 9}, {variant: canary, weight: 1}]
    sticky: {header: x-user}
    retry: {attempts: 1}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := doc.Compile()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, user := range []string{"ann", "mia", "ann", "mia"} {
		d := table.Route(&rules.Request{
			Method: "POST", Path: "/checkout", Header: http.Header{"X-User": {user}},
		}, rand.Uint64)
		fmt.Println(user, d.String(), d.Settings.Timeout, d.Settings.Retry.Attempts)
	}
	d := table.Route(&rules.Request{Method: "GET", Path: "/"}, rand.Uint64)
	fmt.Println(d.String())

	// Output:
	// ann route "checkout": variant "stable" 2s 1
	// mia route "checkout": variant "canary" 2s 1
	// ann route "checkout": variant "stable" 2s 1
	// mia route "checkout": variant "canary" 2s 1
	// no route: all instances
}

// A document with a mistake is refused, with all that it takes to find it.
func ExampleParse() {
	_, err := rules.Parse([]byte("routes:\n  - name: checkout\n    percent: 140\n"))
	fmt.Println(err)
	if e, ok := errors.AsType[*rules.Error](err); ok {
		fmt.Println(e.Field, e.Value, e.Want)
	}

	// Output:
	// rules: line 3: routes[0].percent is 140, want 0 to 100
	// routes[0].percent 140 0 to 100
}
