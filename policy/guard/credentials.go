// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/otelplat/platform/internal/tokenfile"
	"github.com/otelplat/platform/policy/authn"
	"google.golang.org/grpc/credentials"
)

// Credentials add a bearer token to requests. They are gRPC's per-call
// credentials (grpc.WithPerRPCCredentials), and make HTTP transports.
type Credentials struct {
	token     func(context.Context) string
	plaintext bool
}

var _ credentials.PerRPCCredentials = (*Credentials)(nil)

// CredentialsOption configures [TokenFile] and [Forward].
type CredentialsOption func(*Credentials)

// Plaintext lets the token go over connections without TLS: for services on one
// machine, and networks that are secured below TCP. HTTP requests to this machine
// carry it anyway; of a gRPC connection it cannot be known where it leads.
func Plaintext() CredentialsOption { return func(c *Credentials) { c.plaintext = true } }

// TokenFile returns the credentials in a file that somebody else rotates. It is
// looked at once a second at most. While there is no token, requests go without.
func TokenFile(path string, opts ...CredentialsOption) *Credentials {
	f := tokenfile.New(path, slog.Default())
	return newCredentials(func(context.Context) string { return f.Get() }, opts)
}

// Source returns the credentials of a source of tokens, such as [authn.Credentials]. A
// request for which there is no token goes without, and is refused where one is needed.
func Source(s authn.TokenSource, opts ...CredentialsOption) *Credentials {
	return newCredentials(func(ctx context.Context) string {
		token, err := s.Token(ctx)
		if err != nil {
			slog.WarnContext(ctx, "guard: no token for a request", "error", err)
		}
		return token
	}, opts)
}

// Forward returns the credentials of the request that is being served: the
// token that its guard took. Only a service that acts for the same caller, for
// the same audience, should be given it.
func Forward(opts ...CredentialsOption) *Credentials {
	return newCredentials(func(ctx context.Context) string {
		if s, ok := ctx.Value(servedKey{}).(*served); ok {
			return s.token
		}
		return ""
	}, opts)
}

func newCredentials(token func(context.Context) string, opts []CredentialsOption) *Credentials {
	c := &Credentials{token: token}
	for _, o := range opts {
		o(c)
	}
	return c
}

// GetRequestMetadata returns the header of a call.
func (c *Credentials) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token := c.token(ctx)
	if token == "" {
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity reports whether the token needs TLS.
func (c *Credentials) RequireTransportSecurity() bool { return !c.plaintext }

// Transport returns base (nil: [http.DefaultTransport]) with the token on every
// request that has no Authorization yet, but not on one that a redirect sends to
// another origin: who answers a request does not choose who gets the token.
func (c *Credentials) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{c, base}
}

type transport struct {
	credentials *Credentials
	base        http.RoundTripper
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	allowed := (t.credentials.plaintext || tokenfile.MayCarry(r.URL.Scheme, r.URL.Host)) && !strayed(r)
	if token := t.credentials.token(r.Context()); allowed && token != "" && r.Header.Get("Authorization") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return t.base.RoundTrip(r)
}

// strayed reports whether redirects led a request away from the origin that the
// program asked.
func strayed(r *http.Request) bool {
	for at := r; at.Response != nil && at.Response.Request != nil; {
		at = at.Response.Request
		if at.URL.Scheme != r.URL.Scheme || at.URL.Host != r.URL.Host {
			return true
		}
	}
	return false
}
