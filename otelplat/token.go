// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"context"
	"net/http"

	"github.com/otelplat/platform/internal/tokenfile"
	"google.golang.org/grpc/credentials"
)

// TokenFileVariable names the file with the bearer token for every exporter.
const TokenFileVariable = "OTELPLAT_TOKEN_FILE"

// bearerTransport adds the token to HTTP requests.
type bearerTransport struct {
	file *tokenfile.File
	base http.RoundTripper
}

func (b *bearerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if token := b.file.Get(); token != "" && tokenfile.MayCarry(req.URL.Scheme, req.URL.Host) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return b.base.RoundTrip(req)
}

// bearerCredentials adds the token to gRPC calls, or the authorization that the
// headers' variable holds while the file has none.
type bearerCredentials struct {
	file     *tokenfile.File
	fallback string
}

func (b *bearerCredentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if token := b.file.Get(); token != "" {
		return map[string]string{"authorization": "Bearer " + token}, nil
	}
	if b.fallback != "" {
		return map[string]string{"authorization": b.fallback}, nil
	}
	return nil, nil
}

// RequireTransportSecurity is false so that a collector on this machine can be
// reached without TLS; exporters.go attaches no token to other plain endpoints.
func (b *bearerCredentials) RequireTransportSecurity() bool { return false }

var _ credentials.PerRPCCredentials = (*bearerCredentials)(nil)
