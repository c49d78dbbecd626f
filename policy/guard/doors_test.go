// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"github.com/otelplat/platform/policy/guard"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

const obliging = `package shop

default allow := false

allow if input.subject.id in {"alice", "ns/shop/sa/orders"}

obligations contains {"mask": "card"} if input.subject.type == "user"
`

func obligingGuard(t testing.TB, opts ...guard.Option) *guard.Guard {
	t.Helper()
	e, err := policy.Open(t.Context(), policy.Static("shop", map[string]string{"a.rego": obliging}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return guard.New(tokens, e, "shop", opts...)
}

func get(h http.Handler, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/orders/1", nil)
	change(r)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func TestAHandlerHasTheDecisionAndItsObligations(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(recorder))
	h := obligingGuard(t).HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, ok := guard.Decision(r.Context())
		if !ok || !d.Allow || len(d.Obligations) != 1 || r.Header.Get(authn.HeaderSubject) != "" {
			t.Errorf("%v %+v, headers %v", ok, d, r.Header)
		}
		_, _ = io.WriteString(w, d.ID.String())
	}))
	ctx, span := provider.Tracer("t").Start(t.Context(), "request")
	w := get(h, func(r *http.Request) {
		bearer("alice")(r)
		r.Header.Set(authn.HeaderSubject, "user:root") // which is not the client's to say
		*r = *r.WithContext(ctx)
	})
	span.End()
	id := w.Header().Get(guard.HeaderDecision)
	if w.Code != 200 || id == "" || w.Body.String() != id {
		t.Errorf("%d %q, header %q", w.Code, w.Body, id)
	}
	found := false
	for _, a := range recorder.Ended()[0].Attributes() {
		found = found || string(a.Key) == semconv.PolicyDecisionID && a.Value.AsString() == id
	}
	if !found {
		t.Error("the span does not have the decision's id")
	}
	if w := get(h, bearer("viewer")); w.Code != 403 || !strings.Contains(w.Body.String(), w.Header().Get(guard.HeaderDecision)) {
		t.Errorf("denied: %d %s", w.Code, w.Body)
	}
	if _, ok := guard.Decision(t.Context()); ok {
		t.Error("a context that no guard made has a decision")
	}
}

// connected is a request over a connection whose client showed a certificate.
func connected(verified bool, id string) func(*http.Request) {
	return func(r *http.Request) {
		u, _ := url.Parse(id)
		leaf := &x509.Certificate{URIs: []*url.URL{u}, NotAfter: time.Now().Add(time.Hour), SerialNumber: big.NewInt(1)}
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
		if verified {
			r.TLS.VerifiedChains = [][]*x509.Certificate{{leaf}}
		}
	}
}

func TestAServiceComesInByItsCertificate(t *testing.T) {
	c, err := authn.NewCertificates("shop.local")
	if err != nil {
		t.Fatal(err)
	}
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := authn.FromContext(r.Context())
		_, _ = io.WriteString(w, p.String())
	})
	h := obligingGuard(t, guard.Certificates(c)).HTTP(ok)
	const orders = "spiffe://shop.local/ns/shop/sa/orders"
	both := func(token string) func(*http.Request) {
		return func(r *http.Request) {
			connected(true, orders)(r)
			bearer(token)(r)
		}
	}
	for name, x := range map[string]struct {
		request func(*http.Request)
		status  int
		says    string
	}{
		"its certificate":                          {connected(true, orders), 200, "service:ns/shop/sa/orders"},
		"one that nobody verified":                 {connected(false, orders), 401, ""},
		"one of another domain":                    {connected(true, "spiffe://evil.local/ns/shop/sa/orders"), 401, ""},
		"one that policy does not let in":          {connected(true, "spiffe://shop.local/other"), 403, ""},
		"a token goes first":                       {both("alice"), 200, "user:alice"},
		"a bad token is not passed over":           {both("eve"), 401, ""},
		"an Authorization that is no bearer's too": {func(r *http.Request) { connected(true, orders)(r); r.Header.Set("Authorization", "Basic x") }, 401, ""},
	} {
		if w := get(h, x.request); w.Code != x.status || !strings.Contains(w.Body.String(), x.says) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := get(obligingGuard(t).HTTP(ok), connected(true, orders)); w.Code != 401 {
		t.Errorf("a guard that takes no certificates: %d", w.Code)
	}
}

func TestWhatMustKnowRevocationsDeniesWhileTheyMayBeMissing(t *testing.T) {
	fresh := true
	h := obligingGuard(t, guard.Fresh(func() bool { return fresh })).HTTP(http.NotFoundHandler())
	if w := get(h, bearer("alice")); w.Code != 404 {
		t.Errorf("fresh: %d", w.Code)
	}
	fresh = false
	if w := get(h, bearer("alice")); w.Code != 403 || !strings.Contains(w.Body.String(), guard.RuleStale) {
		t.Errorf("stale: %d %s", w.Code, w.Body)
	}
	if w := get(h, bearer("eve")); w.Code != 401 {
		t.Errorf("a bad token: %d", w.Code)
	}
}

// BenchmarkGuard measures what a guard adds to a handler in memory, with a token that was
// verified before.
func BenchmarkGuard(b *testing.B) {
	dir := b.TempDir()
	i, err := devissuer.Load(dir)
	if err != nil {
		b.Fatal(err)
	}
	v, err := authn.Open(authn.Config{JWKSFile: devissuer.JWKSPath(dir), Issuer: devissuer.Name, Audience: devissuer.Audience})
	if err != nil {
		b.Fatal(err)
	}
	token, err := i.Token(devissuer.Claims{Subject: "alice", Roles: []string{"buyer"}, Scopes: []string{"orders:read"}})
	if err != nil {
		b.Fatal(err)
	}
	e, err := policy.Open(b.Context(), policy.Static("shop", map[string]string{"a.rego": obliging[:strings.Index(obliging, "obligations")]}))
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	stub := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r := httptest.NewRequest(http.MethodGet, "/orders/1", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	for name, h := range map[string]http.Handler{"stub": stub, "guarded": guard.New(v, e, "shop").HTTP(stub)} {
		b.Run(name, func(b *testing.B) {
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
			if w.Code != 200 {
				b.Fatal(w.Code, w.Body)
			}
		})
	}
	b.Run("token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
