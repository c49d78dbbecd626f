// SPDX-License-Identifier: Apache-2.0

package authn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/authntest"
)

// connection is one whose client presented a certificate with these URIs.
func connection(t *testing.T, notAfter time.Time, uris ...string) *tls.ConnectionState {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: notAfter}
	for _, u := range uris {
		parsed, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, parsed)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf}}}
}

func TestACertificateNamesAServiceByItsSPIFFEID(t *testing.T) {
	c, err := authn.NewCertificates("shop.local")
	if err != nil {
		t.Fatal(err)
	}
	hour := time.Now().Add(time.Hour)
	p, err := c.Verify(connection(t, hour, "spiffe://shop.local/ns/shop/sa/orders"))
	if err != nil || p.String() != "service:ns/shop/sa/orders" || p.Issuer != "spiffe://shop.local" || p.Method != authn.MethodCertificate || p.Expires.IsZero() {
		t.Fatalf("%+v %v", p, err)
	}
	unverified := connection(t, hour, "spiffe://shop.local/a")
	unverified.VerifiedChains = nil
	for name, state := range map[string]*tls.ConnectionState{
		"none": nil, "not verified": unverified, "no URI": connection(t, hour), "two URIs": connection(t, hour, "spiffe://shop.local/a", "spiffe://shop.local/b"),
		"another domain": connection(t, hour, "spiffe://evil.local/a"), "another scheme": connection(t, hour, "https://shop.local/a"),
		"no path": connection(t, hour, "spiffe://shop.local"), "a path that leads up": connection(t, hour, "spiffe://shop.local/a/../b"),
		"a query": connection(t, hour, "spiffe://shop.local/a?b"), "a user": connection(t, hour, "spiffe://u@shop.local/a"), "a port": connection(t, hour, "spiffe://shop.local:1/a"),
		"an escaped path": connection(t, hour, "spiffe://shop.local/a%2fb"), "an empty segment": connection(t, hour, "spiffe://shop.local/a//b"),
		"expired": connection(t, time.Now().Add(-time.Hour), "spiffe://shop.local/a"),
	} {
		if p, err := c.Verify(state); p != nil || !errors.Is(err, authn.ErrUnauthenticated) {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
	for _, domains := range [][]string{nil, {""}, {"a/b"}, {"user@a"}} {
		if _, err := authn.NewCertificates(domains...); err == nil {
			t.Errorf("%q are taken", domains)
		}
	}
}

func records(t *testing.T, list ...authn.APIKey) string {
	t.Helper()
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformanceOfAPIKeys(t *testing.T) {
	authntest.Verifier(t, func(t *testing.T, principals []authn.Principal) (authn.Verifier, []string) {
		var list []authn.APIKey
		var tokens []string
		for _, p := range principals {
			key, stored, err := authn.NewAPIKey(authn.APIKey{Kind: p.Kind, Subject: p.Subject, Tenant: p.Tenant, Roles: p.Roles, Scopes: p.Scopes, Expires: p.Expires})
			if err != nil {
				t.Fatal(err)
			}
			list, tokens = append(list, stored), append(tokens, key)
		}
		v, err := authn.OpenAPIKeys(records(t, list...))
		if err != nil {
			t.Fatal(err)
		}
		return v, tokens
	})
}

func TestWhatIsStoredOfAnAPIKeyIsNoKey(t *testing.T) {
	key, stored, err := authn.NewAPIKey(authn.APIKey{Subject: "ci", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	secret := key[strings.LastIndex(key, "_")+1:]
	if len(secret) != 64 || strings.Contains(string(text), secret) {
		t.Errorf("the record holds the secret: %s", text)
	}
	v, err := authn.OpenAPIKeys(records(t, stored))
	if err != nil {
		t.Fatal(err)
	}
	// The old and the new key of a subject are good side by side.
	if p, err := v.Verify(t.Context(), key); err != nil || p.String() != "service:ci" || p.Method != authn.MethodAPIKey {
		t.Errorf("%+v %v", p, err)
	}
	for name, token := range map[string]string{
		"the hash": "otk_" + stored.ID + "_" + stored.Hash, "another id": "otk_0011223344556677_" + secret, "no secret": "otk_" + stored.ID + "_", "no id": "otk__" + secret, "the id": "otk_" + stored.ID,
	} {
		if p, err := v.Verify(t.Context(), token); p != nil || !errors.Is(err, authn.ErrUnauthenticated) {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
	for name, record := range map[string]authn.APIKey{
		"no expiry": {Subject: "ci"}, "no subject": {Expires: time.Now().Add(time.Hour)}, "an unknown kind": {Kind: "root", Subject: "a", Expires: time.Now().Add(time.Hour)},
	} {
		if _, _, err := authn.NewAPIKey(record); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, list := range map[string][]authn.APIKey{"twice": {stored, stored}, "no hash": {{ID: "a", Kind: authn.User, Subject: "a", Expires: time.Now()}}} {
		if _, err := authn.OpenAPIKeys(records(t, list...)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
