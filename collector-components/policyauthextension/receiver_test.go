// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/collector-components/policyauthextension/internal/metadata"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"github.com/otelplat/platform/policy/authn/revoked"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const patience = 20 * time.Second

// host has the extension under the name that a receiver's auth block gives.
type host struct {
	component.Host
	extension component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{component.NewID(metadata.Type): h.extension}
}

// gateway is a real OTLP receiver behind the extension.
type gateway struct {
	grpc, http string
	sender     atomic.Pointer[string] // who sent the last batch; "" for nobody
}

// listen starts one. With an authority its gRPC server has TLS and asks for
// certificates that the authority signed.
func listen(t *testing.T, cfg *Config, a *coordtest.Authority) *gateway {
	t.Helper()
	e, err := newExtension(extensiontest.NewNopSettings(metadata.Type), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Shutdown(context.Background()) })
	g := &gateway{grpc: free(t), http: free(t)}
	auth := map[string]any{"authenticator": metadata.Type.String()}
	server := map[string]any{"endpoint": g.grpc, "auth": auth}
	if a != nil {
		cert, key := a.Issue(t, "gateway", time.Hour)
		server["tls"] = map[string]any{"cert_file": cert, "key_file": key, "client_ca_file": a.File}
	}
	f := otlpreceiver.NewFactory()
	receiverConfig := f.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{
		"grpc": server, "http": map[string]any{"endpoint": g.http, "auth": auth},
	}}).Unmarshal(&receiverConfig); err != nil {
		t.Fatal(err)
	}
	sink, err := consumer.NewTraces(func(ctx context.Context, _ ptrace.Traces) error {
		who := ""
		if auth := client.FromContext(ctx).Auth; auth != nil {
			who = fmt.Sprint(auth.GetAttribute(semconv.SenderMethod), " ", auth.GetAttribute(semconv.SenderPrincipal))
		}
		g.sender.Store(&who)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.CreateTraces(t.Context(), receivertest.NewNopSettings(f.Type()), receiverConfig, sink)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), host{componenttest.NewNopHost(), e}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Shutdown(context.Background()) })
	return g
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func request() ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("checkout")
	return ptraceotlp.NewExportRequestFromTraces(td)
}

// overGRPC sends a span, and returns who the pipeline saw, or the answer's code.
func (g *gateway) overGRPC(t *testing.T, creds credentials.TransportCredentials, token string) (who string, code codes.Code) {
	t.Helper()
	conn, err := grpc.NewClient(g.grpc, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := t.Context()
	if token != "" {
		ctx = grpcmetadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	g.sender.Store(nil)
	if _, err := ptraceotlp.NewGRPCClient(conn).Export(ctx, request(), grpc.WaitForReady(true)); err != nil {
		return "", status.Code(err)
	}
	return *g.sender.Load(), codes.OK
}

// overHTTP does, and returns the answer's status.
func (g *gateway) overHTTP(t *testing.T, token string) (who string, code int) {
	t.Helper()
	body, err := request().MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.http+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	g.sender.Store(nil)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		return "", answer.StatusCode
	}
	return *g.sender.Load(), answer.StatusCode
}

// issuer is one whose keys are in a file, with a token of a service.
func issuer(t *testing.T, subject string) (keys, text string) {
	t.Helper()
	i, err := devissuer.New()
	if err != nil {
		t.Fatal(err)
	}
	keys = filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(keys, i.JWKS(), 0o600); err != nil {
		t.Fatal(err)
	}
	return keys, token(t, i, devissuer.Claims{Kind: "service", Subject: subject})
}

// apiKey is a key of a service, with the file of its record.
func apiKey(t *testing.T, subject string) (file, key string, stored authn.APIKey) {
	t.Helper()
	key, stored, err := authn.NewAPIKey(authn.APIKey{Subject: subject, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal([]authn.APIKey{stored})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, key, stored
}

// with is what a client shows that has this certificate.
func with(t *testing.T, a *coordtest.Authority, name string) credentials.TransportCredentials {
	t.Helper()
	cert, key := a.Issue(t, name, time.Hour)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(a.File)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return credentials.NewTLS(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
}

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
	// What the collector's HTTP server answers for every error of an authenticator.
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
	sources := map[string][]string{"authorization": {"Bearer " + text}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Authenticate(b.Context(), sources); err != nil {
			b.Fatal(err)
		}
	}
}
