// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ErrCertificate is returned for a client certificate that names nobody here.
var ErrCertificate = fmt.Errorf("%w: the certificate names no service of ours", ErrUnauthenticated)

// maxSPIFFE is the length of a SPIFFE ID in bytes, as its specification says.
const maxSPIFFE = 2048

// Certificates finds out which service a client certificate is of: by the SPIFFE ID in
// it, spiffe://trust-domain/path, which has to be its only URI (SPIFFE X509-SVID, 2).
type Certificates struct{ domains []string }

// NewCertificates returns a verifier that takes the services of these trust domains. It
// returns an error without any: the certificates of everybody's CA would do.
func NewCertificates(trustDomains ...string) (*Certificates, error) {
	if len(trustDomains) == 0 {
		return nil, errors.New("authn: no trust domain: services of any would be taken")
	}
	for _, d := range trustDomains {
		if u, err := url.Parse("spiffe://" + d); err != nil || u.Host != d || d == "" {
			return nil, fmt.Errorf("authn: %.100q is not a trust domain", d)
		}
	}
	return &Certificates{slices.Clone(trustDomains)}, nil
}

// Verify returns whose connection it is, or [ErrCertificate]. The connection has to have
// verified the certificate (tls.RequireAndVerifyClientCert, or VerifyClientCertIfGiven):
// one that was only presented names nobody.
func (c *Certificates) Verify(state *tls.ConnectionState) (*Principal, error) {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil, ErrCertificate
	}
	leaf := state.VerifiedChains[0][0]
	if time.Now().After(leaf.NotAfter) { // the connection may be older than that
		return nil, ErrExpired
	}
	return c.principal(leaf)
}

func (c *Certificates) principal(leaf *x509.Certificate) (*Principal, error) {
	if len(leaf.URIs) != 1 || leaf.IsCA {
		return nil, ErrCertificate
	}
	id := leaf.URIs[0]
	path := strings.TrimPrefix(id.EscapedPath(), "/")
	if id.Scheme != "spiffe" || id.User != nil || id.RawQuery != "" || id.Fragment != "" || id.Port() != "" ||
		path == "" || len(id.String()) > maxSPIFFE || !slices.Contains(c.domains, id.Host) || !plainPath(path) {
		return nil, ErrCertificate
	}
	p := &Principal{
		Kind: Service, Subject: path, Issuer: "spiffe://" + id.Host, ID: leaf.SerialNumber.String(), Method: MethodCertificate,
		Issued: leaf.NotBefore, Expires: leaf.NotAfter,
	}
	p.attributes = p.describe()
	return p, nil
}

// plainPath reports whether a path has only segments that SPIFFE allows: letters, digits,
// dots, dashes and underscores, and none that leads up.
func plainPath(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
		for _, c := range segment {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}
