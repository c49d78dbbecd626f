// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// Headers in which a proxy that authenticated a request tells a service behind it who
// sends it. A guard takes them out of what clients send: only who stands between may
// write them.
const (
	HeaderSubject = "X-Otelplat-Subject" // kind and subject, user:ann
	HeaderIssuer  = "X-Otelplat-Issuer"
	HeaderTenant  = "X-Otelplat-Tenant"
	HeaderRoles   = "X-Otelplat-Roles"  // names between commas
	HeaderScopes  = "X-Otelplat-Scopes" // the same
)

// IdentityHeaders are all of them.
var IdentityHeaders = []string{HeaderSubject, HeaderIssuer, HeaderTenant, HeaderRoles, HeaderScopes}

// WriteIdentity sets the headers to a principal, and takes out what was there. It returns
// [ErrClaims], and sets none, for a principal with a name that a header would change: a
// role with a comma in it would become two.
func WriteIdentity(h http.Header, p *Principal) error {
	StripIdentity(h)
	for _, name := range slices.Concat(p.Roles, p.Scopes) {
		if strings.Contains(name, ",") || name != strings.TrimSpace(name) || name == "" {
			return ErrClaims
		}
	}
	for _, text := range slices.Concat([]string{p.Subject, p.Issuer, p.Tenant}, p.Roles, p.Scopes) {
		if strings.ContainsFunc(text, unicode.IsControl) || text != strings.TrimSpace(text) {
			return ErrClaims
		}
	}
	h.Set(HeaderSubject, p.String())
	for name, value := range map[string]string{
		HeaderIssuer: p.Issuer, HeaderTenant: p.Tenant, HeaderRoles: strings.Join(p.Roles, ","), HeaderScopes: strings.Join(p.Scopes, ","),
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	return nil
}

// ReadIdentity returns the principal that the headers name. It believes them: it is for
// a service that only the proxy can reach. It returns [ErrMalformed] where a header is
// there twice, or the subject is missing or of no kind.
func ReadIdentity(h http.Header) (*Principal, error) {
	for _, name := range IdentityHeaders {
		if len(h.Values(name)) > 1 {
			return nil, ErrMalformed
		}
	}
	kind, subject, ok := strings.Cut(h.Get(HeaderSubject), ":")
	if !ok || subject == "" || kind != User && kind != Service {
		return nil, ErrMalformed
	}
	p := &Principal{Kind: kind, Subject: subject, Issuer: h.Get(HeaderIssuer), Tenant: h.Get(HeaderTenant)}
	p.Roles, p.Scopes = commas(h.Get(HeaderRoles)), commas(h.Get(HeaderScopes))
	p.attributes = p.describe()
	return p, nil
}

func commas(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// StripIdentity takes the headers out.
func StripIdentity(h http.Header) {
	for _, name := range IdentityHeaders {
		h.Del(name)
	}
}
