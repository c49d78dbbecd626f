// SPDX-License-Identifier: Apache-2.0

// Command auth guards an HTTP service: a bearer token says who calls, a Rego policy
// decides whether they may, first for the route and then for the object.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/otelplat/platform/examples/internal/local"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"github.com/otelplat/platform/policy/guard"
)

//go:embed orders.rego
var rules string

//go:embed orders_test.rego
var tests string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("auth", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	// Who calls: tokens of an issuer whose public keys lie in a file. Production has an
	// identity provider in place of devissuer, and nothing else changes.
	keys, err := os.MkdirTemp("", "otelplat-example-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(keys) //nolint:errcheck // what stays is in the system's temporary folder
	issuer, err := devissuer.Load(keys)
	if err != nil {
		return err
	}
	verifier, err := authn.Open(authn.Config{
		JWKSFile: devissuer.JWKSPath(keys), Issuer: devissuer.Name, Audience: devissuer.Audience,
	})
	if err != nil {
		return err
	}

	// What they may: the bundle is part of this program. A fleet has policy.Etcd, which
	// takes signed bundles and follows them; policy.Dir follows a folder.
	engine, err := policy.Open(ctx,
		policy.Static("shop", map[string]string{"orders.rego": rules, "orders_test.rego": tests}),
		policy.WithEntrypoints("shop.orders"))
	if err != nil {
		return err
	}
	defer engine.Close() //nolint:errcheck // nothing of it is needed any more
	// Until a bundle is loaded everything is denied, so nobody is let near before.
	if err := engine.WaitReady(ctx); err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", order)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	g := guard.New(verifier, engine, "shop.orders", guard.Public("/healthz"))
	address, stop, err := local.Serve(ctx, g.HTTP(mux, guard.Routes(mux)))
	if err != nil {
		return err
	}
	defer stop()

	for _, call := range []struct {
		who  devissuer.Claims
		path string
	}{
		{devissuer.Claims{}, "/healthz"},
		{devissuer.Claims{}, "/orders/17"},
		{devissuer.Claims{Subject: "ada"}, "/orders/17"},
		{devissuer.Claims{Subject: "bob"}, "/orders/17"},
		{devissuer.Claims{Subject: "cleo", Roles: []string{"clerk"}}, "/orders/17"},
		{devissuer.Claims{Subject: "cleo", Roles: []string{"clerk"}}, "/orders/18"},
	} {
		token := ""
		if call.who.Subject != "" {
			if token, err = issuer.Token(call.who); err != nil {
				return err
			}
		}
		status, body, err := local.Get(ctx, http.DefaultClient, "http://"+address+call.path, token)
		if err != nil {
			return err
		}
		var problem struct{ Detail string } // RFC 9457; it has the decision's id too
		if json.Unmarshal([]byte(body), &problem) == nil {
			body = problem.Detail
		}
		fmt.Fprintf(out, "%-6s GET %-10s  %d %s\n", cmp.Or(call.who.Subject, "nobody"), call.path, status, body)
	}
	return nil
}

// order reads an order and asks again: who may see it depends on whose it is.
func order(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	err := guard.Authorize(r.Context(), "read", policy.Entity{Type: "order", ID: id, Properties: map[string]any{
		"owner": "ada", "sealed": id == "18", // a service has this from its database
	}})
	if err != nil {
		guard.WriteError(w, err) // 403 as problem details, with the rule's name
		return
	}
	caller, _ := authn.FromContext(r.Context()) // there is one: the guard let the request in
	fmt.Fprintf(w, "order %s, shown to %s", id, caller)
}
