// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/collector-components/policyauthextension/internal/metadata"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"github.com/otelplat/platform/policy/authn/revoked"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

func TestAReceiverKnowsItsSendersByTokenKeyAndCertificate(t *testing.T) {
	a := coordtest.NewAuthority(t)
	jwks, token := issuer(t, "orders")
	server, err := devissuer.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	discovered, err := server.Token(devissuer.Claims{Subject: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	keys, key, _ := apiKey(t, "billing")
	cfg := createDefaultConfig().(*Config)
	cfg.JWKSFile, cfg.Issuer = jwks, devissuer.Name
	cfg.Issuers = []IssuerConfig{{Issuer: server.URL}}
	cfg.APIKeys = &APIKeysConfig{File: keys}
	cfg.ClientCertificates = &CertificatesConfig{TrustDomains: []string{"fleet"}}
	g := listen(t, cfg, a)
	ours, theirs, nobody := with(t, a, "spiffe://fleet/stock"), with(t, a, "spiffe://others/stock"), with(t, a, "stock")
	for name, test := range map[string]struct {
		creds credentials.TransportCredentials
		token string
		who   string
		code  codes.Code
	}{
		"a certificate":                       {ours, "", "certificate service:stock", codes.OK},
		"a token":                             {nobody, token, "jwt service:orders", codes.OK},
		"a token of the other issuer":         {nobody, discovered, "jwt user:ann", codes.OK},
		"an API key":                          {nobody, key, "api_key service:billing", codes.OK},
		"a token counts, not the certificate": {ours, token, "jwt service:orders", codes.OK},
		"nor does it when the token is bad":   {ours, "bad", "", codes.Unauthenticated},
		"a certificate of another domain":     {theirs, "", "", codes.Unauthenticated},
		"a certificate that names no service": {nobody, "", "", codes.Unauthenticated},
		"a key with another secret":           {nobody, key[:len(key)-2] + "zz", "", codes.Unauthenticated},
	} {
		if who, code := g.overGRPC(t, test.creds, test.token); who != test.who || code != test.code {
			t.Errorf("%s over gRPC: the sender is %q, code %v; expected %q, %v", name, who, code, test.who, test.code)
		}
	}
	for name, test := range map[string]struct {
		token string
		who   string
		code  int
	}{
		"a token":      {token, "jwt service:orders", http.StatusOK},
		"an API key":   {key, "api_key service:billing", http.StatusOK},
		"a bad token":  {"bad", "", http.StatusUnauthorized},
		"no token":     {"", "", http.StatusUnauthorized},
		"of the other": {discovered, "jwt user:ann", http.StatusOK},
	} {
		if who, code := g.overHTTP(t, test.token); who != test.who || code != test.code {
			t.Errorf("%s over HTTP: the sender is %q, status %d; expected %q, %d", name, who, code, test.who, test.code)
		}
	}
}

func TestWhileAnIssuersKeysAreNotKnownItsSendersAreToTryAgainAndTheOthersSend(t *testing.T) {
	server, err := devissuer.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.Break(devissuer.Faults{Status: http.StatusServiceUnavailable})
	discovered, err := server.Token(devissuer.Claims{Subject: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	jwks, token := issuer(t, "orders")
	cfg := createDefaultConfig().(*Config)
	cfg.JWKSFile, cfg.Issuer, cfg.WaitForKeys = jwks, devissuer.Name, time.Millisecond
	cfg.Issuers = []IssuerConfig{{Issuer: server.URL}}
	g := listen(t, cfg, nil)
	if _, code := g.overGRPC(t, insecure.NewCredentials(), discovered); code != codes.Unavailable {
		t.Errorf("over gRPC the answer is %v, expected one after which senders try again", code)
	}
	// What the collector's HTTP server answers for every error of an authenticator: a
	// middleware does better.
	if _, code := g.overHTTP(t, discovered); code != http.StatusUnauthorized {
		t.Errorf("over HTTP the answer is %d: the documentation says 401", code)
	}
	if who, _ := g.overGRPC(t, insecure.NewCredentials(), token); who != "jwt service:orders" {
		t.Errorf("the sender of the other issuer is %q", who)
	}
	server.Break(devissuer.Faults{})
	coordtest.Eventually(t, patience, func() bool {
		who, _ := g.overHTTP(t, discovered)
		return who == "jwt user:ann"
	}, "the keys to be known")
}

func TestTheStartWaitsForKeysAWhile(t *testing.T) {
	server, err := devissuer.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, test := range []struct {
		fault devissuer.Faults
		wait  time.Duration
		known bool
	}{
		{devissuer.Faults{Delay: 50 * time.Millisecond}, time.Minute, true},
		{devissuer.Faults{Status: http.StatusServiceUnavailable}, time.Millisecond, false},
	} {
		server.Break(test.fault)
		cfg := createDefaultConfig().(*Config)
		cfg.Issuers, cfg.WaitForKeys = []IssuerConfig{{Issuer: server.URL}}, test.wait
		e, err := newExtension(extensiontest.NewNopSettings(metadata.Type), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		now, cancel := context.WithCancel(t.Context())
		cancel()
		if known := e.verifiers.Load().waitReady(now) == nil; known != test.known {
			t.Errorf("%+v: after the start the keys are known: %v, expected %v", test.fault, known, test.known)
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatWasTakenBackIsRefused(t *testing.T) {
	etcd := coordtest.Etcd(t)
	jwks, token := issuer(t, "orders")
	keys, key, record := apiKey(t, "billing")
	cfg := createDefaultConfig().(*Config)
	cfg.JWKSFile, cfg.Issuer = jwks, devissuer.Name
	cfg.APIKeys = &APIKeysConfig{File: keys}
	cfg.Revocations = &RevocationsConfig{
		Etcd: etcdconfig.Config{Endpoints: []string{etcd.Endpoint()}, Namespace: "test"}, RequireFresh: true,
	}
	g := listen(t, cfg, nil)
	send := func(token string) codes.Code {
		_, code := g.overGRPC(t, insecure.NewCredentials(), token)
		return code
	}
	coordtest.Eventually(t, patience, func() bool { return send(token) == codes.OK }, "the list to be known")
	c := coordtest.Client(t, etcd, coord.WithNamespace("test"))
	until := time.Now().Add(time.Hour)
	if err := errors.Join(revoked.Revoke(t.Context(), c, revoked.Entry{Token: record.ID, Until: until}),
		revoked.Revoke(t.Context(), c, revoked.Entry{Subject: "service:orders", Until: until})); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool {
		return send(token) == codes.Unauthenticated && send(key) == codes.Unauthenticated
	}, "both to be refused")
}

func TestWithoutAFreshListNobodyIsLetInWhereThatIsAskedFor(t *testing.T) {
	jwks, token := issuer(t, "orders")
	for fresh, want := range map[bool]codes.Code{true: codes.Unavailable, false: codes.OK} {
		cfg := createDefaultConfig().(*Config)
		cfg.JWKSFile, cfg.Issuer = jwks, devissuer.Name
		cfg.Revocations = &RevocationsConfig{Etcd: etcdconfig.Config{Endpoints: []string{"http://" + free(t)}}, RequireFresh: fresh}
		if _, code := listen(t, cfg, nil).overGRPC(t, insecure.NewCredentials(), token); code != want {
			t.Errorf("require_fresh: %v, etcd away: the answer is %v, expected %v", fresh, code, want)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	i, err := devissuer.New()
	if err != nil {
		b.Fatal(err)
	}
	text, err := i.Token(devissuer.Claims{Subject: "orders"})
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "jwks.json")
	if err := os.WriteFile(file, i.JWKS(), 0o600); err != nil {
		b.Fatal(err)
	}
	cfg := createDefaultConfig().(*Config)
	cfg.JWKSFile, cfg.Issuer = file, devissuer.Name
	e, err := newExtension(extensiontest.NewNopSettings(metadata.Type), cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := e.Start(b.Context(), componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	b.Run("authenticator", func(b *testing.B) {
		sources := map[string][]string{"authorization": {"Bearer " + text}}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.Authenticate(b.Context(), sources); err != nil {
				b.Fatal(err)
			}
		}
	})
	in := 0
	handler := &middleware{e, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { in++ })}
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/traces", http.NoBody)
	r.Header.Set("Content-Type", "application/x-protobuf")
	serve := func(b *testing.B, let bool) {
		w, want := httptest.NewRecorder(), 0
		in = 0
		b.ReportAllocs()
		for b.Loop() {
			handler.ServeHTTP(w, r)
			w.Body.Reset()
			if let {
				want++
			}
		}
		if in != want {
			b.Fatalf("%d were let in, expected %d", in, want)
		}
	}
	b.Run("middleware/refused", func(b *testing.B) { serve(b, false) })
	r.Header.Set("Authorization", "Bearer "+text)
	b.Run("middleware/let-in", func(b *testing.B) { serve(b, true) })
}
