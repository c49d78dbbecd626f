// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const patience = 30 * time.Second

// hardenedWorld sets the environment that the hardened configuration needs.
func hardenedWorld(t *testing.T) (authority *coordtest.Authority, issuer *devissuer.Issuer, otlp, health string) {
	t.Helper()
	folder := t.TempDir()
	authority = coordtest.NewAuthority(t)
	etcd := coordtest.SecureEtcd(t, authority)
	issuer, err := devissuer.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(folder, "policy.pub")
	if _, err := policy.GenerateKey(filepath.Join(folder, "policy.key"), public); err != nil {
		t.Fatal(err)
	}
	cert, key := authority.Issue(t, "collector", time.Hour)
	otlp, health = free(t), free(t)
	_, port, _ := net.SplitHostPort(free(t))
	for name, value := range map[string]string{
		"OTELPLAT_TLS_CERT_FILE": cert, "OTELPLAT_TLS_KEY_FILE": key, "OTELPLAT_TLS_CLIENT_CA_FILE": authority.File,
		"OTELPLAT_JWKS_FILE": devissuer.JWKSPath(folder), "OTELPLAT_ISSUER": "otelplat-dev", "OTELPLAT_POLICY_KEYS": public,
		"OTELPLAT_ETCD_ENDPOINTS": etcd.Endpoint(), "OTELPLAT_ETCD_CA_FILE": authority.File, "OTELPLAT_ETCD_CERT_FILE": cert, "OTELPLAT_ETCD_KEY_FILE": key,
		"OTELPLAT_NATS_URL": "tls://127.0.0.1:4222", "OTELPLAT_EXPORT": "127.0.0.1:1", "OTELPLAT_EXPORT_CA_FILE": authority.File,
		"OTELPLAT_QUEUE_DIR": filepath.Join(folder, "queue"), "OTELPLAT_STATE_DIR": filepath.Join(folder, "state"),
		"OTELPLAT_OTLP_GRPC": otlp, "OTELPLAT_OTLP_HTTP": free(t), "OTELPLAT_EVENTS_GRPC": free(t), "OTELPLAT_HEALTH": health, "OTELPLAT_METRICS_PORT": port,
	} {
		t.Setenv(name, value)
	}
	return authority, issuer, otlp, health
}

func free(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestTheHardenedConfigurationIsValidAndItsDryRunOpensNothing(t *testing.T) {
	_, _, otlp, _ := hardenedWorld(t)
	must(t, "validate", "--config", "file:hardened.yaml")
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", otlp); err == nil {
		c.Close()
		t.Error("a dry run listens")
	}
	t.Setenv("OTELPLAT_EXPORT", "")
	if _, err := run(t, "validate", "--config", "file:hardened.yaml"); err == nil {
		t.Error("it is valid without a place to export to")
	}
	if strings.Contains(hardened, "insecure") || strings.Contains(hardened, "debug") {
		t.Error("the hardened configuration has something that is not")
	}
}

func TestTheHardenedCollectorAsksForCertificateAndToken(t *testing.T) {
	authority, issuer, otlp, health := hardenedWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- components.Run(ctx, components.Options{URIs: []string{"file:hardened.yaml", "yaml:service: {telemetry: {logs: {level: fatal}}}"}})
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	}()
	coordtest.Eventually(t, patience, func() bool {
		response, err := http.Get("http://" + health)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, "the collector is healthy")

	pem, err := os.ReadFile(authority.File)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	cert, key := authority.Issue(t, "orders", time.Hour)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Token(devissuer.Claims{Kind: "service", Subject: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	for _, sender := range []struct {
		name   string
		config *tls.Config
		token  string
		want   codes.Code
	}{
		{"without a certificate", &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, token, codes.Unavailable},
		{"with TLS 1.1", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, token, codes.Unavailable},
		{"without a token", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, "", codes.Unauthenticated},
		{"with both, and nothing in it", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, token, codes.OK},
	} {
		conn, err := grpc.NewClient(otlp, grpc.WithTransportCredentials(credentials.NewTLS(sender.config)))
		if err != nil {
			t.Fatal(err)
		}
		call := t.Context()
		if sender.token != "" {
			call = metadata.AppendToOutgoingContext(call, "authorization", "Bearer "+sender.token)
		}
		_, err = plogotlp.NewGRPCClient(conn).Export(call, plogotlp.NewExportRequest())
		if got := status.Code(err); got != sender.want {
			t.Errorf("%s: %v, expected %v: %v", sender.name, got, sender.want, err)
		}
		conn.Close()
	}

	// Over HTTP the same; snappy would be decompressed before a token is asked for.
	known := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	for _, sender := range []struct {
		name     string
		config   *tls.Config
		token    string
		encoding string
		want     int // 0: no connection
	}{
		{"without a certificate", &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, token, "", 0},
		{"without a token", known, "", "", http.StatusUnauthorized},
		{"with a bad one", known, "x", "", http.StatusUnauthorized},
		{"with both, in a block of snappy", known, token, "snappy", http.StatusBadRequest},
		{"with both, and nothing in it", known, token, "", http.StatusOK},
	} {
		if got := overHTTPS(t, sender.config, sender.token, sender.encoding); got != sender.want {
			t.Errorf("over HTTP %s: %d, expected %d", sender.name, got, sender.want)
		}
	}
}

// overHTTPS sends an export of nothing, and returns the answer's status, or 0 without one.
func overHTTPS(t *testing.T, config *tls.Config, token, encoding string) int {
	t.Helper()
	nothing := ""
	if encoding == "snappy" {
		nothing = "\x00"
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+os.Getenv("OTELPLAT_OTLP_HTTP")+"/v1/logs", strings.NewReader(nothing))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	if challenged := answer.Header.Get("Www-Authenticate") != ""; challenged != (answer.StatusCode == http.StatusUnauthorized) {
		t.Errorf("the answer is %d with the header %v", answer.StatusCode, answer.Header)
	}
	return answer.StatusCode
}

func TestTheHardenedCollectorHasItsOwnEventsInAPipeline(t *testing.T) {
	_, _, _, health := hardenedWorld(t)
	metrics := "http://127.0.0.1:" + os.Getenv("OTELPLAT_METRICS_PORT") + "/metrics"
	var stderr bytes.Buffer
	before := otel.GetLoggerProvider()
	otel.SetLoggerProvider(components.Events(&stderr))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- components.Run(ctx, components.Options{URIs: []string{"file:hardened.yaml", "yaml:service: {telemetry: {logs: {level: fatal}}}"}})
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		otel.SetLoggerProvider(before)
		http.DefaultClient.CloseIdleConnections()
	}()
	page := func(url string) string {
		response, err := http.Get(url)
		if err != nil {
			return ""
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return string(text)
	}
	coordtest.Eventually(t, patience, func() bool { return page("http://"+health) != "" }, "the collector is up")
	var r log.Record
	r.SetEventName("otelplat.telemetry.govern")
	otel.GetLoggerProvider().Logger("test").Emit(t.Context(), r)
	// The backend and NATS are away: the event is in the queue on disk, and waits for NATS.
	coordtest.Eventually(t, patience, func() bool {
		for line := range strings.Lines(page(metrics)) {
			if strings.HasPrefix(line, "otelcol_receiver_accepted_log_records") && strings.Contains(line, `receiver="otelplat_events"`) {
				return !strings.HasSuffix(strings.TrimSpace(line), " 0")
			}
		}
		return false
	}, "the event is in the pipeline")
}
