// SPDX-License-Identifier: Apache-2.0

// Package authntest holds what every verifier of tokens must do: an implementation of
// [authn.Verifier] runs [Verifier] in a test of its own.
package authntest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/policy/authn"
)

// Verifier tests a verifier of tokens. Open returns one, with a token for each of the
// principals; it honours their fields but Issuer, ID and Claims.
func Verifier(t *testing.T, open func(t *testing.T, principals []authn.Principal) (v authn.Verifier, tokens []string)) {
	hour := time.Now().Add(time.Hour)
	principals := []authn.Principal{
		{Kind: authn.User, Subject: "alice", Tenant: "acme", Roles: []string{"admin", "buyer"}, Scopes: []string{"orders:read"}, Expires: hour},
		{Kind: authn.Service, Subject: "orders", Expires: hour},
		{Kind: authn.User, Subject: "late", Expires: time.Now().Add(-time.Hour)},
	}
	v, tokens := open(t, principals)
	if len(tokens) != len(principals) {
		t.Fatalf("%d tokens for %d principals", len(tokens), len(principals))
	}
	t.Run("a token says whose it is, each time", func(t *testing.T) {
		for range 2 {
			for i := range 2 {
				want := &principals[i]
				got, err := v.Verify(t.Context(), tokens[i])
				if err != nil {
					t.Fatal(err)
				}
				if got.String() != want.String() || got.Tenant != want.Tenant || !slices.Equal(got.Roles, want.Roles) || !slices.Equal(got.Scopes, want.Scopes) {
					t.Errorf("token of %+v is %+v", want, got)
				}
			}
		}
	})
	t.Run("a token that has expired is refused", func(t *testing.T) {
		if p, err := v.Verify(t.Context(), tokens[2]); p != nil || !errors.Is(err, authn.ErrExpired) {
			t.Errorf("%v, %v", p, err)
		}
	})
	t.Run("what nobody issued is refused, and not repeated", func(t *testing.T) {
		for what, token := range map[string]string{
			"empty":            "",
			"a space":          " ",
			"text":             "secret-that-leaks",
			"three parts":      "secret.that.leaks",
			"cut short":        tokens[0][:len(tokens[0])-1],
			"with more":        tokens[0] + "A",
			"two tokens":       tokens[0] + tokens[1],
			"of 1 MiB":         strings.Repeat("secret-that-leaks", 1<<20/17),
			"with a line feed": tokens[0] + "\n",
		} {
			p, err := v.Verify(t.Context(), token)
			if p != nil || !errors.Is(err, authn.ErrUnauthenticated) {
				t.Errorf("a token that is %s: %v, %v", what, p, err)
			} else if strings.Contains(err.Error(), "leaks") {
				t.Errorf("the error repeats the token: %v", err)
			}
		}
	})
	t.Run("many at once", func(t *testing.T) {
		var wg sync.WaitGroup
		for n := range 32 {
			wg.Go(func() {
				if p, err := v.Verify(t.Context(), tokens[n%2]); err != nil || p.Subject != principals[n%2].Subject {
					t.Errorf("token of %s: %v, %v", principals[n%2].Subject, p, err)
				}
			})
		}
		wg.Wait()
	})
}
