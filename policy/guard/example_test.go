// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/guard"
)

func Example() {
	engine, err := policy.Open(context.Background(), policy.Static("demo", map[string]string{
		"demo.rego": "package demo\n\ndefault allow := false\n\nallow if input.action.name == \"GET\"",
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	verifier := authn.NewFixed(map[string]*authn.Principal{"t": {Kind: authn.User, Subject: "alice"}}) // or authn.Open
	handler := guard.New(verifier, engine, "demo").HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := authn.FromContext(r.Context())
		fmt.Println("hello", p)
	}))

	for _, method := range []string{"GET", "DELETE"} {
		r := httptest.NewRequest(method, "/", nil)
		r.Header.Set("Authorization", "Bearer t")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}

	// Output:
	// hello user:alice
	// 200
	// 403
}
