// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/policyauthextension/internal/metadata"
	"github.com/otelplat/platform/collector-components/policyauthextension/internal/metadatatest"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// guarded is the middleware before a handler that keeps the contexts of who came in.
func guarded(t *testing.T, e *authenticator) (handler http.Handler, in *[]context.Context) {
	t.Helper()
	wrap, err := e.GetHTTPHandler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in = new([]context.Context)
	handler, err = wrap(t.Context(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { *in = append(*in, r.Context()) }))
	if err != nil {
		t.Fatal(err)
	}
	return handler, in
}

// untouched is a body that nobody may read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body of who is refused was read")
	return 0, io.EOF
}

// decode reads a body as its media type says.
func decode(t *testing.T, mediaType string, body []byte) (code codes.Code, message string) {
	t.Helper()
	s := status.New(codes.OK, "").Proto()
	var err error
	switch mediaType {
	case "application/x-protobuf":
		err = proto.Unmarshal(body, s)
	case "application/json":
		err = protojson.Unmarshal(body, s)
	default:
		err = errors.New("no encoding of OTLP's: " + mediaType)
	}
	if err != nil {
		t.Errorf("%s %q: %v", mediaType, body, err)
	}
	return codes.Code(s.GetCode()), s.GetMessage()
}

func TestTheMiddlewareAnswersAsOTLPWants(t *testing.T) {
	running, _, _ := started(t, false)
	stopped, issuer, _ := started(t, false)
	if err := stopped.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	never, err := newExtension(extensiontest.NewNopSettings(metadata.Type), &Config{Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	good := "Bearer " + token(t, issuer, devissuer.Claims{Subject: "a"})
	for name, test := range map[string]struct {
		extension     *authenticator
		authorization string
		status        int
		challenge     string
		retryAfter    string
		answer        *refusal
	}{
		"no credentials":               {running, "", 401, "Bearer", "", errNoCredentials},
		"bad ones":                     {running, "Bearer x", 401, `Bearer error="invalid_token"`, "", errRefused},
		"another scheme":               {running, "Basic YTpi", 401, "Bearer", "", errRefused},
		"after the shutdown":           {stopped, good, 503, "", "2", errNotNow},
		"before the start":             {never, good, 503, "", "2", errNotNow},
		"before the start, of nobody":  {never, "", 503, "", "2", errNotNow},
		"after the shutdown, bad ones": {stopped, "Bearer x", 503, "", "2", errNotNow},
	} {
		for contentType, want := range map[string]string{
			"application/x-protobuf": "application/x-protobuf", "application/json; charset=utf-8": "application/json",
			"text/csv": "text/plain; charset=utf-8", "": "text/plain; charset=utf-8", "/;": "text/plain; charset=utf-8",
		} {
			handler, in := guarded(t, test.extension)
			r := httptest.NewRequest(http.MethodPost, "/v1/traces", untouched{t})
			r.Header.Set("Content-Type", contentType)
			if test.authorization != "" {
				r.Header.Set("Authorization", test.authorization)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			h := w.Header()
			if w.Code != test.status || h.Get("Www-Authenticate") != test.challenge || h.Get("Retry-After") != test.retryAfter || h.Get("Content-Type") != want {
				t.Errorf("%s, %q: %d %v, expected %+v and %s", name, contentType, w.Code, h, test, want)
			}
			if strings.HasPrefix(want, "text/") {
				if text := strings.TrimSpace(w.Body.String()); text != test.answer.text {
					t.Errorf("%s, %q: the text is %q", name, contentType, text)
				}
			} else if code, text := decode(t, want, w.Body.Bytes()); code != test.answer.code || text != test.answer.text {
				t.Errorf("%s, %q: the status is %v %q", name, contentType, code, text)
			}
			if len(*in) > 0 {
				t.Errorf("%s, %q: let in", name, contentType)
			}
		}
	}
}

// sent is what comes for a request: the same to both ways.
func sent(values ...string) http.Header {
	h := http.Header{}
	for _, v := range values {
		h.Add("Authorization", v)
	}
	return h
}

func TestTheMiddlewareLetsInWhomTheAuthenticatorLetsInAndCountsTheRestAlike(t *testing.T) {
	e, issuer, tel := started(t, false)
	good := "Bearer " + token(t, issuer, devissuer.Claims{Kind: "service", Subject: "orders", Tenant: "acme", Roles: []string{"agent"}})
	handler, in := guarded(t, e)
	info := client.Info{Addr: &net.IPAddr{IP: net.IPv4(10, 1, 2, 3)}, Metadata: client.NewMetadata(map[string][]string{"x-tenant": {"acme"}})}
	before := client.NewContext(t.Context(), info)
	counts := map[string]int64{}
	for name, test := range map[string]struct {
		headers http.Header
		reason  string // "" when let in
	}{
		"a token":        {sent(good), ""},
		"nothing":        {sent(), "no_token"},
		"two tokens":     {sent(good, good), "malformed"},
		"another scheme": {sent("Basic YTpi"), "malformed"},
		"an old token":   {sent("Bearer " + token(t, issuer, devissuer.Claims{Subject: "a", Now: time.Now().Add(-48 * time.Hour), TTL: time.Minute})), "expired"},
		"a changed one":  {sent(good[:len(good)-4] + "AAAA"), "signature"},
	} {
		*in = nil
		want, err := e.Authenticate(before, test.headers)
		r := httptest.NewRequestWithContext(before, http.MethodPost, "/", nil)
		r.Header = test.headers
		handler.ServeHTTP(httptest.NewRecorder(), r)
		if (err == nil) != (test.reason == "") || (len(*in) == 1) != (test.reason == "") {
			t.Errorf("%s: the authenticator says %v, the middleware let %d in; expected the reason %q", name, err, len(*in), test.reason)
			continue
		}
		if err != nil {
			counts[test.reason] += 2
			continue
		}
		got := (*in)[0]
		if g, w := client.FromContext(got), client.FromContext(want); !reflect.DeepEqual(g, w) || g.Auth == nil || g.Addr != info.Addr {
			t.Errorf("%s: the middleware's sender is %v, the authenticator's %v", name, g, w)
		}
		if p, ok := authn.FromContext(got); !ok || p.Subject != "orders" {
			t.Errorf("%s: the principal in the context is %v", name, p)
		}
	}
	var want []metricdata.DataPoint[int64]
	for reason, n := range counts {
		want = append(want, metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String(semconv.CollectorReason, reason))})
	}
	metadatatest.AssertEqualExtensionPolicyAuthRefusals(t, tel, want, metricdatatest.IgnoreTimestamp())
}

func TestAnonymousComesThroughTheMiddlewareAndWhoElseVouchedForItStays(t *testing.T) {
	e, issuer, _ := started(t, true)
	text := token(t, issuer, devissuer.Claims{Kind: "service", Subject: "orders"})
	before, err := e.Authenticate(t.Context(), sent("Bearer "+text))
	if err != nil {
		t.Fatal(err)
	}
	handler, in := guarded(t, e)
	for _, ctx := range []context.Context{t.Context(), before} {
		*in = nil
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil))
		if len(*in) != 1 || client.FromContext((*in)[0]).Auth != client.FromContext(ctx).Auth {
			t.Errorf("%d came in, with another sender than before", len(*in))
		}
	}
}

// leaf is a certificate that an authority issued.
func leaf(t *testing.T, a *coordtest.Authority, name string, valid time.Duration) *x509.Certificate {
	t.Helper()
	cert, key := a.Issue(t, name, valid)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestTheMiddlewareTakesVerifiedCertificatesOnly(t *testing.T) {
	a := coordtest.NewAuthority(t)
	jwks, text := issuer(t, "orders")
	tel := componenttest.NewTelemetry()
	defer tel.Shutdown(context.Background())
	set := extensiontest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	cfg := createDefaultConfig().(*Config)
	cfg.JWKSFile, cfg.Issuer = jwks, devissuer.Name
	tokensOnly := *cfg
	cfg.ClientCertificates = &CertificatesConfig{TrustDomains: []string{"fleet"}}
	start := func(cfg *Config) *authenticator {
		e, err := newExtension(set, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Shutdown(context.Background()) })
		return e
	}
	both, tokens := start(cfg), start(&tokensOnly)
	ours, theirs, old := leaf(t, a, "spiffe://fleet/stock", time.Hour), leaf(t, a, "spiffe://others/stock", time.Hour), leaf(t, a, "spiffe://fleet/stock", -time.Minute)
	presented := func(c *x509.Certificate) *tls.ConnectionState {
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
	}
	verified := func(c *x509.Certificate) *tls.ConnectionState {
		s := presented(c)
		s.VerifiedChains = [][]*x509.Certificate{{c}}
		return s
	}
	for name, test := range map[string]struct {
		extension *authenticator
		state     *tls.ConnectionState
		headers   http.Header
		who       string // "" when refused
		challenge string
	}{
		"one of ours":                        {both, verified(ours), sent(), "service:stock", ""},
		"one that nobody verified":           {both, presented(ours), sent(), "", "Bearer"},
		"one of another domain":              {both, verified(theirs), sent(), "", "Bearer"},
		"one that has ended":                 {both, verified(old), sent(), "", "Bearer"},
		"none":                               {both, &tls.ConnectionState{}, sent(), "", "Bearer"},
		"no TLS":                             {both, nil, sent(), "", "Bearer"},
		"a token counts, not it":             {both, verified(ours), sent("Bearer " + text), "service:orders", ""},
		"nor does it when the token is bad":  {both, verified(ours), sent("Bearer x"), "", `Bearer error="invalid_token"`},
		"nor beside a scheme that is not":    {both, verified(ours), sent("Basic YTpi"), "", "Bearer"},
		"one of ours, where tokens are":      {tokens, verified(ours), sent(), "", "Bearer"},
		"a token beside one of another fits": {both, verified(theirs), sent("Bearer " + text), "service:orders", ""},
	} {
		handler, in := guarded(t, test.extension)
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.TLS, r.Header = test.state, test.headers
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if test.who == "" {
			if len(*in) > 0 || w.Code != http.StatusUnauthorized || w.Header().Get("Www-Authenticate") != test.challenge {
				t.Errorf("%s: %d %v, %d let in; expected a refusal with the challenge %q", name, w.Code, w.Header(), len(*in), test.challenge)
			}
			continue
		}
		if len(*in) != 1 {
			t.Errorf("%s: refused with %d", name, w.Code)
			continue
		}
		if who := client.FromContext((*in)[0]).Auth.GetAttribute(semconv.SenderPrincipal); who != test.who {
			t.Errorf("%s: the sender is %v, expected %s", name, who, test.who)
		}
	}
}
