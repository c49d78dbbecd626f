// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/otelplat/platform/cmd/otelplat/internal/routes"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"github.com/spf13/cobra"
)

// question is a request that is asked about, and who would send it.
type question struct {
	method, path, grpc       string
	headers, cookies, claims []string // as NAME=VALUE
	labels                   map[string]string
	zone, caller             string
}

func (q *question) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&q.method, "method", http.MethodGet, "method of HTTP")
	f.StringVar(&q.path, "path", "/", "path of HTTP, decoded")
	f.StringVar(&q.grpc, "grpc", "", "a gRPC method, as /service/method, instead of HTTP")
	f.StringArrayVar(&q.headers, "header", nil, "a header, for gRPC metadata, as NAME=VALUE")
	f.StringArrayVar(&q.cookies, "cookie", nil, "a cookie, as NAME=VALUE")
	f.StringArrayVar(&q.claims, "claim", nil, "a claim of who sends, as NAME=VALUE")
	f.StringToStringVar(&q.labels, "label", nil, "labels of the calling process, as KEY=VALUE")
	f.StringVar(&q.zone, "zone", "", "zone of the calling process")
	f.StringVar(&q.caller, "caller", "", "instance id of the calling process, by which its subset is chosen")
	c.MarkFlagsMutuallyExclusive("grpc", "method")
	c.MarkFlagsMutuallyExclusive("grpc", "path")
}

// claims are what the question says of who sends.
type claims map[string]string

// Claim implements [rules.Claims].
func (c claims) Claim(name string) (string, bool) {
	value, ok := c[name]
	return value, ok
}

// request returns the question as routes see it.
func (q *question) request() (rules.Request, error) {
	r := rules.Request{Method: q.method, Path: q.path, Header: make(map[string][]string), Caller: q.labels}
	if q.grpc != "" {
		if !strings.HasPrefix(q.grpc, "/") || strings.Count(q.grpc, "/") != 2 {
			return r, fmt.Errorf("--grpc %q is not /service/method", q.grpc)
		}
		r.GRPC, r.Method, r.Path = q.grpc, "", ""
	}
	add := func(name, value string) {
		if r.GRPC != "" {
			name = strings.ToLower(name)
		} else {
			name = http.CanonicalHeaderKey(name)
		}
		r.Header[name] = append(r.Header[name], value)
	}
	for _, h := range q.headers {
		name, value, err := pair("header", h)
		if err != nil {
			return r, err
		}
		add(name, value)
	}
	for _, k := range q.cookies {
		if _, _, err := pair("cookie", k); err != nil {
			return r, err
		}
		add("Cookie", k)
	}
	known := make(claims)
	for _, k := range q.claims {
		name, value, err := pair("claim", k)
		if err != nil {
			return r, err
		}
		known[name] = value
	}
	r.Claims = known
	return r, nil
}

func pair(flag, text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return "", "", fmt.Errorf("--%s %q is not NAME=VALUE", flag, text)
	}
	return name, value, nil
}

// String says the question in words.
func (q *question) String() string {
	words := []string{q.method + " " + q.path}
	if q.grpc != "" {
		words[0] = q.grpc
	}
	for _, with := range []struct {
		what string
		list []string
	}{{"header ", q.headers}, {"cookie ", q.cookies}, {"claim ", q.claims}} {
		for _, text := range with.list {
			words = append(words, with.what+text)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(q.labels)) {
		words = append(words, fmt.Sprintf("from a caller with label %s=%s", key, q.labels[key]))
	}
	if q.zone != "" {
		words = append(words, "from zone "+q.zone)
	}
	return strings.Join(words, ", ")
}

func routeExplain() *cobra.Command {
	var t target
	var out output
	var q question
	var past reach
	c := &cobra.Command{
		Use: "explain SERVICE", Short: "Show what a router would do with a request now, and why", Args: cobra.ExactArgs(1),
		Long: `Shows what a router would do with a request: which route takes it, which variant it goes
to, what it may cost; each instance with its state and the figures behind it; the
breakers, who decided them and by which thresholds; and what operators force. Where
chance decides, it shows all that can come of it.

Last come the acts of the fleet's routers: whom they took out or brought back, and which
breakers they opened, by which rule, which figures against which thresholds and how many
callers; and what came of it, error ratio and p99 before and after. What many did alike
within five seconds is one act. They are read from the copies that the collector keeps in
NATS; without NATS the rest is shown all the same.

Nothing is sent. The router is made for the question: it knows what the fleet, discovery,
the document and the operators say, and nothing by its own experience.`,
		Example: `  otelplat route explain orders
  otelplat route explain orders --path /checkout/1 --method POST --header x-user=ada --label service=storefront
  otelplat route explain inventory --grpc /shop.v1.Inventory/Reserve --zone z1 -o json
  otelplat route explain orders --acts 2h
  otelplat route explain orders --acts 24h -o json | jq '.acts.list[] | [.stored, .event, .instance, .rule, .effect]'`,
		ValidArgsFunction: completeArgs(&t, serviceNames),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := q.request()
			if err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			if err := past.check(); err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			return t.withClient(c, func(ctx context.Context, client *coord.Client) error {
				a, err := q.answer(ctx, &t, &past, client, args[0], r)
				if err != nil {
					return err
				}
				return printAnswer(c.OutOrStdout(), out, a)
			})
		},
	}
	t.flags(c)
	out.flags(c)
	q.flags(c)
	past.flags(c)
	return c
}

func printAnswer(w io.Writer, out output, a *routes.Answer) error {
	if !out.json() {
		return a.Print(w)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(a)
}

// answer asks a router, and beside that NATS for what routers did. An error does not wait for
// NATS.
func (q *question) answer(ctx context.Context, t *target, past *reach, client *coord.Client, service string, r rules.Request) (*routes.Answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &routes.Answer{Request: q.String(), Overrides: []routes.Override{}, Fresh: true}
	beside, namespace := make(chan *routes.Acts, 1), client.Namespace()
	go func() { beside <- past.acts(ctx, t, namespace, service) }()
	etcd, stop := context.WithTimeout(ctx, t.timeout)
	defer stop()
	var err error
	if a.Explanation, err = q.ask(etcd, client, service, r); err != nil {
		return nil, err
	}
	a.Explanation.Acts = nil // what a router did that was made a moment ago is of no interest
	forced, err := override.List(etcd, client, service)
	if err != nil {
		return nil, err
	}
	for i := range forced {
		a.Overrides = append(a.Overrides, routes.NewOverride(&forced[i]))
	}
	a.Acts = <-beside
	return a, nil
}

// ask makes a router, and asks it.
func (q *question) ask(ctx context.Context, client *coord.Client, service string, r rules.Request) (e router.Explanation, err error) {
	doc, err := parsedDocument(ctx, client, service)
	var refused *rules.Error
	if err != nil && !errors.As(err, &refused) {
		return e, err // a bad document is what the router tells
	}
	var own []string
	if doc != nil {
		own = append(own, doc.Policy.Name) // which the services may have, if this program has not
	}
	directory, err := discovery.Etcd(client).Directory(ctx)
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, directory.Close()) }()
	signals, documents, forced := signal.Etcd(client), rules.Etcd(client, own...), override.Etcd(client)
	defer func() { err = errors.Join(err, signals.Close(), documents.Close(), forced.Close()) }()
	made, err := router.New(directory, router.WithSignals(signals), router.WithRules(documents), router.WithOverrides(forced),
		router.WithZone(q.zone), router.WithCaller(cmp.Or(q.caller, "otelplat"), q.labels),
		router.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, made.Close()) }()
	if err := made.Ready(ctx, service); err != nil {
		return e, err
	}
	if e, err = made.ExplainRequest(service, r); err != nil {
		return e, err
	}
	if len(e.Choices) == 0 && e.Document.Revision == 0 && e.Document.Err == nil && len(e.Overrides) == 0 {
		return e, &NotFoundError{fmt.Sprintf("nothing is known of a service %q", service), "otelplat services"}
	}
	return e, nil
}
