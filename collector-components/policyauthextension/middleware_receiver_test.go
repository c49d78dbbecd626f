// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/collector-components/policyauthextension/internal/metadata"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"
)

// behindMiddleware are the settings of an HTTP server whose middleware is the extension.
func behindMiddleware() map[string]any {
	return map[string]any{"middlewares": []any{map[string]any{"id": metadata.Type.String()}}}
}

// authenticated are those of a server whose authenticator it is.
func authenticated() map[string]any {
	return map[string]any{"auth": map[string]any{"authenticator": metadata.Type.String()}}
}

// export sends a span by the collector's own exporter, as if it were its pipeline, and
// returns when the span was taken or given up.
func (g *gateway) export(t *testing.T, scheme, token string, tls map[string]any) error {
	t.Helper()
	f := otlphttpexporter.NewFactory()
	cfg := f.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(map[string]any{
		"endpoint": scheme + "://" + g.http, "headers": map[string]any{"Authorization": "Bearer " + token}, "tls": tls,
		"sending_queue":    map[string]any{"enabled": false},
		"retry_on_failure": map[string]any{"initial_interval": "10ms", "max_elapsed_time": patience.String()},
	}).Unmarshal(&cfg); err != nil {
		return err
	}
	e, err := f.CreateTraces(t.Context(), exportertest.NewNopSettings(f.Type()), cfg)
	if err != nil {
		return err
	}
	if err := e.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		return err
	}
	defer e.Shutdown(context.Background())
	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("checkout")
	return e.ConsumeTraces(t.Context(), td)
}

func TestOverHTTPAMiddlewareMakesSendersTryAgainWhileAnIssuerIsAway(t *testing.T) {
	a := coordtest.NewAuthority(t)
	cert, key := a.Issue(t, "agent", time.Hour)
	for scheme, test := range map[string]struct {
		server map[string]any
		probe  *tls.Config
		client map[string]any
	}{
		"http":  {nil, nil, map[string]any{"insecure": true}},
		"https": {serverTLS(t, a), clientTLS(t, a, "agent"), map[string]any{"ca_file": a.File, "cert_file": cert, "key_file": key}},
	} {
		t.Run(scheme, func(t *testing.T) {
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
			overHTTP := behindMiddleware()
			if test.server != nil {
				overHTTP["tls"] = test.server
			}
			g := open(t, cfg, authenticated(), overHTTP)

			_, answer, body := g.post(t, test.probe, discovered)
			if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") != "2" {
				t.Errorf("the answer is %d %v, expected 503 and when to try again", answer.StatusCode, answer.Header)
			}
			if code, _ := decode(t, answer.Header.Get("Content-Type"), body); code != codes.Unavailable {
				t.Errorf("the status in the body is %v", code)
			}
			if who, answer, _ := g.post(t, test.probe, token); who != "jwt service:orders" {
				t.Errorf("the sender of the other issuer is %q, status %d", who, answer.StatusCode)
			}
			if _, answer, _ := g.post(t, test.probe, "x"); answer.StatusCode != http.StatusUnauthorized {
				t.Errorf("a bad token meanwhile: %d", answer.StatusCode)
			}

			g.sender.Store(nil)
			taken := make(chan error, 1)
			go func() { taken <- g.export(t, scheme, discovered, test.client) }()
			coordtest.Eventually(t, patience, func() bool { return g.refusals(t)["no_keys"] >= 2 }, "the exporter to be refused")
			server.Break(devissuer.Faults{})
			if err := <-taken; err != nil {
				t.Fatalf("the exporter gave up: %v", err)
			}
			if who := g.sender.Load(); who == nil || *who != "jwt user:ann" {
				t.Errorf("the sender is %v", who)
			}
		})
	}
}

func TestWithAnAuthenticatorTheExporterGivesUp(t *testing.T) {
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
	cfg := createDefaultConfig().(*Config)
	cfg.WaitForKeys, cfg.Issuers = time.Millisecond, []IssuerConfig{{Issuer: server.URL}}
	g := open(t, cfg, authenticated(), authenticated())
	if err := g.export(t, "http", discovered, map[string]any{"insecure": true}); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("error is %v: the documentation says that 401 is not tried again", err)
	}
}

func TestWithoutAFreshListTheMiddlewareMakesSendersTryAgain(t *testing.T) {
	jwks, token := issuer(t, "orders")
	cfg := createDefaultConfig().(*Config)
	cfg.JWKSFile, cfg.Issuer = jwks, devissuer.Name
	cfg.Revocations = &RevocationsConfig{Etcd: etcdconfig.Config{Endpoints: []string{"http://" + free(t)}}, RequireFresh: true}
	g := open(t, cfg, authenticated(), behindMiddleware())
	if _, answer, _ := g.post(t, nil, token); answer.StatusCode != http.StatusServiceUnavailable || g.refusals(t)["revocations_stale"] != 1 {
		t.Errorf("the answer is %d, counted %v", answer.StatusCode, g.refusals(t))
	}
}

func TestBehindAMiddlewareAReceiverKnowsItsSendersByCertificateToo(t *testing.T) {
	a := coordtest.NewAuthority(t)
	jwks, token := issuer(t, "orders")
	cfg := createDefaultConfig().(*Config)
	cfg.JWKSFile, cfg.Issuer = jwks, devissuer.Name
	cfg.ClientCertificates = &CertificatesConfig{TrustDomains: []string{"fleet"}}
	ours, theirs := clientTLS(t, a, "spiffe://fleet/stock"), clientTLS(t, a, "spiffe://others/stock")
	both := authenticated()
	maps.Copy(both, behindMiddleware())
	for name, test := range map[string]struct {
		server    map[string]any
		anonymous bool
		probe     *tls.Config
		token     string
		who       string
		code      int
		reason    string // counted once
	}{
		"a certificate":                       {behindMiddleware(), false, ours, "", "certificate service:stock", 200, ""},
		"a token counts, not the certificate": {behindMiddleware(), false, ours, token, "jwt service:orders", 200, ""},
		"nor does it when the token is bad":   {behindMiddleware(), false, ours, "x", "", 401, "malformed"},
		"a certificate of another domain":     {behindMiddleware(), false, theirs, "", "", 401, "certificate"},
		"nor where anybody is let in":         {behindMiddleware(), true, theirs, "", "", 401, "certificate"},
		// An authenticator is not shown certificates; whom it refuses, a middleware does not see.
		"both, a token":                      {both, false, ours, token, "jwt service:orders", 200, ""},
		"both, a bad token":                  {both, false, ours, "x", "", 401, "malformed"},
		"both, a certificate":                {both, false, ours, "", "", 401, "no_token"},
		"both, a certificate and anonymous":  {both, true, ours, "", "certificate service:stock", 200, ""},
		"both, another's, and anonymous":     {both, true, theirs, "", "", 401, "certificate"},
		"the authenticator, and anonymous":   {authenticated(), true, theirs, "", "", 200, ""},
		"the authenticator, a certificate":   {authenticated(), false, ours, "", "", 401, "no_token"},
		"the authenticator beside the other": {authenticated(), false, theirs, token, "jwt service:orders", 200, ""},
	} {
		cfg := *cfg
		cfg.Anonymous = test.anonymous
		server := maps.Clone(test.server)
		server["tls"] = serverTLS(t, a)
		g := open(t, &cfg, authenticated(), server)
		who, answer, _ := g.post(t, test.probe, test.token)
		if who != test.who || answer.StatusCode != test.code {
			t.Errorf("%s: the sender is %q, status %d; expected %q, %d", name, who, answer.StatusCode, test.who, test.code)
		}
		want := map[string]int64{}
		if test.reason != "" {
			want[test.reason] = 1
		}
		if got := g.refusals(t); !maps.Equal(got, want) {
			t.Errorf("%s: counted %v, expected %v", name, got, want)
		}
	}
}

// raw sends a request's head and a part of its body, and returns the answer to that.
func (g *gateway) raw(t *testing.T, encoding, part string, length int) (code int, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", g.http)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "POST /v1/traces HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", encoding, length, part); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s: %v", encoding, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// The server sets the decompression up before it asks a middleware. What that reads of a
// body, before its sender is refused, is what the documentation says; that these answers
// come at all says that it waits for no more.
func TestWhatIsReadOfABodyBeforeItsSenderIsRefused(t *testing.T) {
	jwks, _ := issuer(t, "orders")
	cfg := createDefaultConfig().(*Config)
	cfg.JWKSFile, cfg.Issuer = jwks, devissuer.Name
	bounded := behindMiddleware()
	bounded["compression_algorithms"] = []string{"", "gzip", "zstd", "zlib", "deflate", "lz4", "x-snappy-framed"}
	asItIs, without, before := open(t, cfg, authenticated(), behindMiddleware()), open(t, cfg, authenticated(), bounded), open(t, cfg, authenticated(), authenticated())
	const never = 1 << 20 // of a body that does not come; too long for the server to wait for
	gzip, zlib, broken := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "\x78\x9c", "\x80\x80\x04\xff\xff"
	for name, test := range map[string]struct {
		g              *gateway
		encoding, part string
		length         int
		code           int
		text           string
	}{
		"nothing, of no encoding":         {asItIs, "", "", never, 401, "no bearer token"},
		"the head of gzip":                {asItIs, "gzip", gzip, never, 401, "no bearer token"},
		"the head of zlib":                {asItIs, "zlib", zlib, never, 401, "no bearer token"},
		"the head of deflate":             {asItIs, "deflate", zlib, never, 401, "no bearer token"},
		"nothing of zstd":                 {asItIs, "zstd", "", never, 401, "no bearer token"},
		"nothing of lz4":                  {asItIs, "lz4", "", never, 401, "no bearer token"},
		"nothing of framed snappy":        {asItIs, "x-snappy-framed", "", never, 401, "no bearer token"},
		"all of a block of snappy":        {asItIs, "snappy", broken, len(broken), 400, "snappy: corrupt input"},
		"not where it is left out":        {without, "snappy", "", never, 400, "unsupported Content-Encoding"},
		"a bad head is told to anyone":    {asItIs, "gzip", "no gzip at all", never, 400, "gzip: invalid header"},
		"an unknown encoding is, too":     {asItIs, "br", "", never, 400, "unsupported Content-Encoding"},
		"an authenticator is asked first": {before, "snappy", "", never, 401, "no bearer token"},
	} {
		if code, text := test.g.raw(t, test.encoding, test.part, test.length); code != test.code || !strings.Contains(text, test.text) {
			t.Errorf("%s: %d %q, expected %d %q", name, code, text, test.code, test.text)
		}
	}
}

func TestAPreflightIsAnsweredBeforeTheMiddlewareAsItIsBeforeAnAuthenticator(t *testing.T) {
	jwks, _ := issuer(t, "orders")
	cfg := createDefaultConfig().(*Config)
	cfg.JWKSFile, cfg.Issuer = jwks, devissuer.Name
	for name, server := range map[string]map[string]any{"middleware": behindMiddleware(), "authenticator": authenticated()} {
		for _, cors := range []bool{true, false} {
			server, want := maps.Clone(server), http.StatusUnauthorized
			if cors {
				server["cors"] = map[string]any{"allowed_origins": []string{"https://shop.example.com"}}
				want = http.StatusNoContent
			}
			g := open(t, cfg, authenticated(), server)
			for method, want := range map[string]int{http.MethodOptions: want, http.MethodPost: http.StatusUnauthorized} {
				r, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.http+"/v1/traces", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Origin", "https://shop.example.com")
				r.Header.Set("Content-Type", "application/json")
				if method == http.MethodOptions {
					r.Header.Set("Access-Control-Request-Method", http.MethodPost)
				}
				transport := &http.Transport{}
				answer, err := (&http.Client{Transport: transport}).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				transport.CloseIdleConnections()
				if answer.StatusCode != want || (answer.Header.Get("Access-Control-Allow-Origin") != "") != cors {
					t.Errorf("%s, CORS %v: %s is answered with %d %v, expected %d", name, cors, method, answer.StatusCode, answer.Header, want)
				}
			}
		}
	}
}
