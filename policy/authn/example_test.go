// SPDX-License-Identifier: Apache-2.0

package authn_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

// The issuer is one for development; with an identity provider only the Config is
// another.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "keys-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	issuer, err := devissuer.Load(dir)
	if err != nil {
		fmt.Println(err)
		return
	}

	verifier, err := authn.Open(authn.Config{
		JWKSFile: devissuer.JWKSPath(dir), Issuer: devissuer.Name, Audience: devissuer.Audience,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, claims := range []devissuer.Claims{
		{Subject: "alice", Roles: []string{"clerk"}},
		{Subject: "alice", Audience: "another shop"},
		{Subject: "alice", Now: time.Now().Add(-2 * time.Hour)}, // good for an hour
	} {
		token, err := issuer.Token(claims)
		if err != nil {
			fmt.Println(err)
			return
		}
		principal, err := verifier.Verify(context.Background(), token)
		if err != nil {
			fmt.Println(err, errors.Is(err, authn.ErrUnauthenticated))
			continue
		}
		fmt.Println(principal, principal.Roles)
	}

	// Output:
	// user:alice [clerk]
	// authn: not authenticated: the token is for another audience true
	// authn: not authenticated: the token has expired true
}
