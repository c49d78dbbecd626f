// SPDX-License-Identifier: Apache-2.0

package devissuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func token(t *testing.T, i *devissuer.Issuer, c devissuer.Claims) string {
	t.Helper()
	s, err := i.Token(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestIssuerOnDisk(t *testing.T) {
	dir := t.TempDir()
	first, err := devissuer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "issuer.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	again, err := devissuer.Load(dir)
	if err != nil || string(again.JWKS()) != string(first.JWKS()) {
		t.Errorf("another key: %v", err)
	}
	v, err := authn.Open(authn.Config{JWKSFile: devissuer.JWKSPath(dir), Issuer: devissuer.Name, Audience: devissuer.Audience})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token(t, again, devissuer.Claims{Subject: "a"})); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(filepath.Join(dir, "issuer.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := devissuer.Load(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	if _, err := first.Token(devissuer.Claims{}); err == nil {
		t.Error("a token without subject")
	}
}

func TestTheSetHoldsThePublicKeyOnly(t *testing.T) {
	i, err := devissuer.New()
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(i.JWKS(), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%v: %s", err, i.JWKS())
	}
	if _, private := set.Keys[0]["d"]; private || set.Keys[0]["kid"] == "" || set.Keys[0]["alg"] != "EdDSA" {
		t.Errorf("%v", set.Keys[0])
	}
}

func TestTokensEndAndAreForOneAudience(t *testing.T) {
	dir := t.TempDir()
	i, err := devissuer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := authn.Open(authn.Config{JWKSFile: devissuer.JWKSPath(dir), Issuer: devissuer.Name, Audience: devissuer.Audience})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		claims devissuer.Claims
		want   error
	}{
		"as they come":             {devissuer.Claims{Subject: "a"}, nil},
		"issued long ago":          {devissuer.Claims{Subject: "a", Now: time.Now().Add(-2 * time.Hour)}, authn.ErrExpired},
		"that long, but for a day": {devissuer.Claims{Subject: "a", Now: time.Now().Add(-2 * time.Hour), TTL: 24 * time.Hour}, nil},
		"for another audience":     {devissuer.Claims{Subject: "a", Audience: "others"}, authn.ErrAudience},
	} {
		if _, err := v.Verify(t.Context(), token(t, i, c.claims)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "keys")
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
	token, err := issuer.Token(devissuer.Claims{Kind: "service", Subject: "orders", Roles: []string{"reader"}})
	if err != nil {
		fmt.Println(err)
		return
	}

	verifier, err := authn.Open(authn.Config{JWKSFile: devissuer.JWKSPath(dir), Issuer: devissuer.Name, Audience: devissuer.Audience})
	if err != nil {
		fmt.Println(err)
		return
	}
	principal, err := verifier.Verify(context.Background(), token)
	fmt.Println(principal, principal.Roles, err)

	// Output: service:orders [reader] <nil>
}
