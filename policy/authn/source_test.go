// SPDX-License-Identifier: Apache-2.0

package authn_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

func TestAServiceGetsItsTokenOnceForAllWhoAsk(t *testing.T) {
	s := server(t, devissuer.Client{ID: "orders", Secret: "s3cret", Claims: devissuer.Claims{Kind: authn.Service}})
	source, err := authn.NewCredentials(authn.ClientCredentials{TokenURL: s.URL + "/token", ID: "orders", Secret: "s3cret", Audience: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	tokens := make([]string, 20)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			var err error
			if tokens[i], err = source.Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, token := range tokens {
		if token != tokens[0] {
			t.Fatal("several requests were made")
		}
	}
	v, err := authn.OpenIssuer(t.Context(), authn.Config{Issuer: s.URL, Audience: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if p, err := v.Verify(t.Context(), tokens[0]); err != nil || p.String() != "service:orders" {
		t.Errorf("%v %v", p, err)
	}
	// The issuer is away: the token is used to its end.
	s.Break(devissuer.Faults{Status: 503})
	if token, err := source.Token(t.Context()); err != nil || token != tokens[0] {
		t.Errorf("%v", err)
	}
}

func TestATokenIsReplacedBeforeItExpires(t *testing.T) {
	s := server(t, devissuer.Client{ID: "orders", Secret: "s3cret", Claims: devissuer.Claims{TTL: 2 * time.Second}})
	source, err := authn.NewCredentials(authn.ClientCredentials{TokenURL: s.URL + "/token", ID: "orders", Secret: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	first, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		token, err := source.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if token != first {
			return
		}
	}
	t.Error("it was never replaced")
}

func TestARefusalDoesNotRepeatTheSecret(t *testing.T) {
	s := server(t, devissuer.Client{ID: "orders", Secret: "s3cret"})
	source, err := authn.NewCredentials(authn.ClientCredentials{TokenURL: s.URL + "/token", ID: "orders", Secret: "wr0ng"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Token(t.Context()); err == nil || strings.Contains(err.Error(), "wr0ng") || !strings.Contains(err.Error(), "401") {
		t.Errorf("%v", err)
	}
	source.Close()
	if _, err := source.Token(t.Context()); err == nil {
		t.Error("a closed source gives tokens")
	}
	for _, c := range []authn.ClientCredentials{{ID: "a", Secret: "b", TokenURL: "http://issuer.example/token"}, {TokenURL: s.URL, ID: "a"}} {
		if _, err := authn.NewCredentials(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func TestIdentityHeadersSayWhatWasWritten(t *testing.T) {
	p := &authn.Principal{Kind: authn.User, Subject: "ann:1", Issuer: "i", Tenant: "acme", Roles: []string{"a", "b"}, Scopes: []string{"x:y"}}
	h := http.Header{"X-Otelplat-Roles": {"root"}}
	if err := authn.WriteIdentity(h, p); err != nil {
		t.Fatal(err)
	}
	got, err := authn.ReadIdentity(h)
	if err != nil || got.String() != p.String() || got.Tenant != "acme" || strings.Join(got.Roles, " ") != "a b" || strings.Join(got.Scopes, " ") != "x:y" {
		t.Errorf("%+v %v", got, err)
	}
	for _, bad := range []*authn.Principal{{Kind: authn.User, Subject: "a", Roles: []string{"a,root"}}, {Kind: authn.User, Subject: "a\r\nX: y"}, {Kind: authn.User, Subject: "a", Roles: []string{""}}} {
		h := http.Header{}
		if err := authn.WriteIdentity(h, bad); !errors.Is(err, authn.ErrClaims) || len(h) > 0 {
			t.Errorf("%+v: %v %v", bad, err, h)
		}
	}
	h.Add(authn.HeaderRoles, "root")
	if _, err := authn.ReadIdentity(h); err == nil {
		t.Error("a header that is there twice is read")
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = h
	authn.StripIdentity(r.Header)
	if len(r.Header) != 0 {
		t.Errorf("left: %v", r.Header)
	}
}
