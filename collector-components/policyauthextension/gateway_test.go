// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/policyauthextension/internal/metadata"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/otelplat/semconv"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
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
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
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
	tel        *componenttest.Telemetry
}

// listen starts one. With an authority its gRPC server has TLS and asks for
// certificates that the authority signed.
func listen(t *testing.T, cfg *Config, a *coordtest.Authority) *gateway {
	t.Helper()
	auth := map[string]any{"authenticator": metadata.Type.String()}
	server := map[string]any{"auth": auth}
	if a != nil {
		server["tls"] = serverTLS(t, a)
	}
	return open(t, cfg, server, map[string]any{"auth": auth})
}

// serverTLS are the settings of a server that asks for certificates.
func serverTLS(t *testing.T, a *coordtest.Authority) map[string]any {
	t.Helper()
	cert, key := a.Issue(t, "gateway", time.Hour)
	return map[string]any{"cert_file": cert, "key_file": key, "client_ca_file": a.File}
}

// open starts a gateway whose servers have these settings.
func open(t *testing.T, cfg *Config, overGRPC, overHTTP map[string]any) *gateway {
	t.Helper()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { tel.Shutdown(context.Background()) })
	set := extensiontest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	e, err := newExtension(set, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Shutdown(context.Background()) })
	g := &gateway{grpc: free(t), http: free(t), tel: tel}
	overGRPC["endpoint"], overHTTP["endpoint"] = g.grpc, g.http
	f := otlpreceiver.NewFactory()
	receiverConfig := f.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{
		"grpc": overGRPC, "http": overHTTP,
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
	who, answer, _ := g.post(t, nil, token)
	return who, answer.StatusCode
}

// post sends a span, by TLS where there are settings for it, and returns the answer with
// its body too.
func (g *gateway) post(t *testing.T, tls *tls.Config, token string) (who string, answer *http.Response, text []byte) {
	t.Helper()
	scheme := "http"
	if tls != nil {
		scheme = "https"
	}
	body, err := request().MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, scheme+"://"+g.http+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	g.sender.Store(nil)
	transport := &http.Transport{TLSClientConfig: tls}
	defer transport.CloseIdleConnections()
	answer, err = (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err = io.ReadAll(answer.Body); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode == http.StatusOK {
		who = *g.sender.Load()
	}
	return who, answer, text
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
	return credentials.NewTLS(clientTLS(t, a, name))
}

func clientTLS(t *testing.T, a *coordtest.Authority, name string) *tls.Config {
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
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}

// refusals are the counts by reason.
func (g *gateway) refusals(t *testing.T) map[string]int64 {
	t.Helper()
	counts := make(map[string]int64)
	m, err := g.tel.GetMetric("otelcol_extension_policy_auth_refusals")
	if err != nil {
		return counts // none yet
	}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		reason, _ := p.Attributes.Value(semconv.CollectorReason)
		counts[reason.AsString()] = p.Value
	}
	return counts
}
