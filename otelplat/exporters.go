// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/otelplat/platform/internal/tokenfile"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
)

// exporterFactory makes OTLP exporters. The exporters themselves read the
// OTEL_EXPORTER_OTLP_* variables; what is added here is the rotating token.
type exporterFactory struct {
	token *tokenfile.File // nil when there is none
}

func (f *exporterFactory) traces(ctx context.Context, s signalConfig) (sdktrace.SpanExporter, error) {
	if s.protocol == protocolGRPC {
		var opts []otlptracegrpc.Option
		if f.attachGRPC(s.name) {
			headers, credentials := f.grpcHeaders(s.name)
			opts = append(opts, otlptracegrpc.WithHeaders(headers), otlptracegrpc.WithDialOption(credentials))
		}
		return otlptrace.New(ctx, otlptracegrpc.NewClient(opts...))
	}
	var opts []otlptracehttp.Option
	client, err := f.httpClient(s.name)
	if err != nil {
		return nil, err
	}
	if client != nil {
		opts = append(opts, otlptracehttp.WithHTTPClient(client))
	}
	return otlptrace.New(ctx, otlptracehttp.NewClient(opts...))
}

func (f *exporterFactory) logs(ctx context.Context, s signalConfig) (sdklog.Exporter, error) {
	if s.protocol == protocolGRPC {
		var opts []otlploggrpc.Option
		if f.attachGRPC(s.name) {
			headers, credentials := f.grpcHeaders(s.name)
			opts = append(opts, otlploggrpc.WithHeaders(headers), otlploggrpc.WithDialOption(credentials))
		}
		return otlploggrpc.New(ctx, opts...)
	}
	var opts []otlploghttp.Option
	client, err := f.httpClient(s.name)
	if err != nil {
		return nil, err
	}
	if client != nil {
		opts = append(opts, otlploghttp.WithHTTPClient(client))
	}
	return otlploghttp.New(ctx, opts...)
}

// metrics makes the exporter of the service's own metrics, or with signals that
// of the routing measurements: delta temporality, and no retries, because
// evidence of a minute ago helps nobody.
func (f *exporterFactory) metrics(ctx context.Context, s signalConfig, signals bool) (sdkmetric.Exporter, error) {
	if s.protocol == protocolGRPC {
		var opts []otlpmetricgrpc.Option
		if f.attachGRPC(s.name) {
			headers, credentials := f.grpcHeaders(s.name)
			opts = append(opts, otlpmetricgrpc.WithHeaders(headers), otlpmetricgrpc.WithDialOption(credentials))
		}
		if signals {
			opts = append(opts, otlpmetricgrpc.WithTemporalitySelector(sdkmetric.DeltaTemporalitySelector),
				otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{Enabled: false}), otlpmetricgrpc.WithTimeout(signalTimeout))
		}
		return otlpmetricgrpc.New(ctx, opts...)
	}
	var opts []otlpmetrichttp.Option
	client, err := f.httpClient(s.name)
	if err != nil {
		return nil, err
	}
	if client != nil {
		if signals {
			client.Timeout = signalTimeout
		}
		opts = append(opts, otlpmetrichttp.WithHTTPClient(client))
	}
	if signals {
		opts = append(opts, otlpmetrichttp.WithTemporalitySelector(sdkmetric.DeltaTemporalitySelector),
			otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: false}), otlpmetrichttp.WithTimeout(signalTimeout))
	}
	return otlpmetrichttp.New(ctx, opts...)
}

// attachGRPC reports whether calls may carry the token: over TLS, or to this
// machine.
func (f *exporterFactory) attachGRPC(signal string) bool {
	if f.token == nil {
		return false
	}
	endpoint := cmp.Or(forSignal(signal, "ENDPOINT"), "https://localhost:4317")
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" { // "host:port", which the gRPC exporters take for TLS unless INSECURE
		scheme := "https"
		if insecure, _ := strconv.ParseBool(forSignal(signal, "INSECURE")); insecure {
			scheme = "http"
		}
		return tokenfile.MayCarry(scheme, endpoint)
	}
	return tokenfile.MayCarry(u.Scheme, u.Host)
}

// grpcHeaders returns the headers of OTEL_EXPORTER_OTLP_HEADERS without the
// authorization, and what sends that instead: gRPC would send both, and leave it to the
// collector which one counts.
func (f *exporterFactory) grpcHeaders(signal string) (map[string]string, grpc.DialOption) {
	headers := parseHeaders(forSignal(signal, "HEADERS"))
	credentials := &bearerCredentials{file: f.token, fallback: headers["authorization"]}
	delete(headers, "authorization")
	return headers, grpc.WithPerRPCCredentials(credentials)
}

// parseHeaders reads "k=v,k=v" with percent-encoded values (W3C Baggage, as the
// specification of OTLP exporters says). Names are lower case in gRPC.
func parseHeaders(list string) map[string]string {
	headers := make(map[string]string)
	for pair := range strings.SplitSeq(list, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if decoded, err := url.PathUnescape(strings.TrimSpace(value)); ok && err == nil {
			headers[strings.ToLower(strings.TrimSpace(key))] = decoded
		}
	}
	return headers
}

// httpClient returns a client that adds the token, nil when there is none. The
// exporters leave TLS, proxy and time-out to a client that they are given, so it
// takes them from the same variables.
func (f *exporterFactory) httpClient(signal string) (*http.Client, error) {
	if f.token == nil {
		return nil, nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if path := forSignal(signal, "CERTIFICATE"); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("otelplat: OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("otelplat: OTEL_EXPORTER_OTLP_CERTIFICATE: %s holds no certificate", path)
		}
	}
	if cert, key := forSignal(signal, "CLIENT_CERTIFICATE"), forSignal(signal, "CLIENT_KEY"); cert != "" && key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("otelplat: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: %w", err)
		}
		transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	timeout := 10 * time.Second // the specification's default
	if ms, err := strconv.Atoi(forSignal(signal, "TIMEOUT")); err == nil && ms > 0 {
		timeout = time.Duration(ms) * time.Millisecond
	}
	return &http.Client{Transport: &bearerTransport{file: f.token, base: transport}, Timeout: timeout}, nil
}
