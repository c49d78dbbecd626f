// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/otelplat/platform/collector-components/internal/shared"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/revoked"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// verifiers are what credentials are asked of. They are immutable.
type verifiers struct {
	tokens       authn.Verifier
	certificates *authn.Certificates // nil: none are taken
	revoked      *revoked.List       // nil: nothing is taken back
	requireFresh bool
	following    []*authn.JWT // those whose keys are fetched
	closers      shared.Closers
}

// openVerifiers opens what the configuration names. It waits for nothing that is not
// a local file.
func openVerifiers(cfg *Config) (v *verifiers, err error) {
	v = &verifiers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	var chain []authn.Verifier
	if cfg.APIKeys != nil {
		keys, err := authn.OpenAPIKeys(cfg.APIKeys.File)
		if err != nil {
			return v, err
		}
		chain = append(chain, keys) // first: it knows its own by the first letters
	}
	for _, i := range cfg.issuers() {
		jwt, err := v.issuer(i)
		if err != nil {
			return v, err
		}
		chain = append(chain, jwt)
	}
	v.tokens = authn.Chain(chain...)
	if c := cfg.ClientCertificates; c != nil {
		if v.certificates, err = authn.NewCertificates(c.TrustDomains...); err != nil {
			return v, err
		}
	}
	if r := cfg.Revocations; r != nil {
		client, err := r.Etcd.Open(context.Background(), nil)
		if err != nil {
			return v, err
		}
		v.closers = append(v.closers, client)
		if v.revoked, err = revoked.Open(context.Background(), client); err != nil {
			return v, err
		}
		v.closers = append(v.closers, v.revoked)
		v.requireFresh = r.RequireFresh
	}
	return v, nil
}

func (v *verifiers) issuer(i IssuerConfig) (*authn.JWT, error) {
	c := authn.Config{Issuer: i.Issuer, Audience: i.Audience, JWKSFile: i.JWKSFile, JWKSURL: i.JWKSURL}
	if i.JWKSFile != "" {
		return authn.Open(c)
	}
	jwt, err := authn.OpenIssuer(context.Background(), c)
	if err != nil {
		return nil, fmt.Errorf("issuer %q: %w", i.Issuer, err)
	}
	v.following = append(v.following, jwt)
	v.closers = append(v.closers, jwt)
	return jwt, nil
}

// waitReady waits until the keys of all issuers are known.
func (v *verifiers) waitReady(ctx context.Context) error {
	var errs []error
	for _, jwt := range v.following {
		errs = append(errs, jwt.WaitReady(ctx))
	}
	return errors.Join(errs...)
}

// Close ends in reverse: a list before the connection that it came by.
func (v *verifiers) Close() error {
	slices.Reverse(v.closers)
	err := v.closers.Close()
	v.closers = nil
	return err
}

// principal finds out who sends, by the headers and the connection's TLS state (nil: it
// has none). A request without credentials has no error and nobody.
func (v *verifiers) principal(ctx context.Context, sources map[string][]string, state *tls.ConnectionState) (*authn.Principal, error) {
	p, err := v.vouched(ctx, sources, state)
	switch {
	case err != nil || p == nil || v.revoked == nil:
		return p, err
	case v.requireFresh && !v.revoked.Fresh():
		return nil, revoked.ErrStale
	case v.revoked.Revoked(p):
		return nil, authn.ErrRevoked
	}
	return p, nil
}

// vouched asks the token, where there is one: with it a service may act for another.
// What came for a token is not passed over for a certificate.
func (v *verifiers) vouched(ctx context.Context, sources map[string][]string, state *tls.ConnectionState) (*authn.Principal, error) {
	token, sent := bearer(sources)
	if sent {
		return v.tokens.Verify(ctx, token)
	}
	if v.certificates != nil && state != nil && len(state.PeerCertificates) > 0 {
		return v.certificates.Verify(state)
	}
	return nil, nil //nolint:nilnil // nobody, which is no error where anonymous senders are let in
}

// connection returns the TLS state of a gRPC connection. The collector's HTTP server hands
// an authenticator the headers only; a middleware has the request.
func connection(ctx context.Context) *tls.ConnectionState {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil
	}
	return &info.State
}

// bearer returns the token of the authorization header, and whether there is
// such a header. HTTP's sources have the canonical name, gRPC's the lower one.
func bearer(sources map[string][]string) (token string, sent bool) {
	values := sources["authorization"]
	if len(values) == 0 {
		values = sources["Authorization"]
	}
	if len(values) == 0 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "bearer") {
		return "", true // two headers, or another scheme: no token of ours
	}
	return strings.TrimSpace(token), true
}

var _ io.Closer = (*verifiers)(nil)
