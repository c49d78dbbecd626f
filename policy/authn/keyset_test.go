// SPDX-License-Identifier: Apache-2.0

package authn_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

const patience = 20 * time.Second

func server(t testing.TB, clients ...devissuer.Client) *devissuer.Server {
	t.Helper()
	s, err := devissuer.Listen(t.Context(), "127.0.0.1:0", clients...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func follow(t testing.TB, s *devissuer.Server) *authn.JWT {
	t.Helper()
	v, err := authn.OpenIssuer(t.Context(), authn.Config{Issuer: s.URL, Audience: devissuer.Audience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func of(t testing.TB, s *devissuer.Server, c devissuer.Claims) string {
	t.Helper()
	token, err := s.Token(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestAnIssuersKeysAreDiscovered(t *testing.T) {
	s := server(t)
	v := follow(t, s)
	p, err := v.Verify(t.Context(), of(t, s, devissuer.Claims{Subject: "ann", Roles: []string{"admin"}, Session: "s1"}))
	if err != nil || p.Subject != "ann" || p.Issuer != s.URL || p.Method != authn.MethodJWT || p.Session != "s1" || p.Issued.IsZero() {
		t.Fatalf("%+v %v", p, err)
	}
}

func TestAKeyThatIsNewIsFetchedOnceAndOneThatIsGoneVerifiesNothing(t *testing.T) {
	s := server(t)
	v := follow(t, s)
	old := of(t, s, devissuer.Claims{Subject: "ann"})
	if _, err := v.Verify(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(); err != nil {
		t.Fatal(err)
	}
	s.Retire()
	// The first look for keys may have been for this, when the keys were not known yet.
	authn.AskAgain(v)
	if _, err := v.Verify(t.Context(), of(t, s, devissuer.Claims{Subject: "ann"})); err != nil {
		t.Errorf("a token with a new key: %v", err)
	}
	if _, err := v.Verify(t.Context(), old); !errors.Is(err, authn.ErrUnknownKey) {
		t.Errorf("a cached token whose key is gone: %v", err)
	}
}

func TestAFloodOfUnknownKeysIsOneFetch(t *testing.T) {
	s := server(t)
	v := follow(t, s)
	if _, err := v.Verify(t.Context(), of(t, s, devissuer.Claims{Subject: "ann"})); err != nil {
		t.Fatal(err)
	}
	authn.AskAgain(v)
	before := s.Fetches()
	stranger := issuer(t)
	head, rest, _ := strings.Cut(token(t, stranger, devissuer.Claims{Subject: "eve"}), ".")
	_ = head
	_, signature, _ := strings.Cut(rest, ".")
	_, payload, _ := strings.Cut(of(t, s, devissuer.Claims{Subject: "eve"}), ".")
	payload, _, _ = strings.Cut(payload, ".")
	began := time.Now()
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := range 2500 {
				header := b64([]byte(fmt.Sprintf(`{"alg":"EdDSA","typ":"JWT","kid":"unknown-%d-%d"}`, part, i)))
				if _, err := v.Verify(t.Context(), header+"."+payload+"."+signature); !errors.Is(err, authn.ErrUnknownKey) {
					t.Errorf("an unknown key: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	if n := s.Fetches() - before; n > 1 {
		t.Errorf("10,000 unknown keys caused %d fetches", n)
	}
	t.Logf("10,000 tokens with unknown keys were refused in %v, %v each", took, took/10_000)
	if took > 5*5*time.Second { // half a millisecond each, five times
		t.Errorf("it took %v", took)
	}
}

func TestAnIssuerThatIsAwayOrWrongLeavesTheLastKeys(t *testing.T) {
	s := server(t)
	v := follow(t, s)
	good := of(t, s, devissuer.Claims{Subject: "ann"})
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]devissuer.Faults{
		"away": {Status: 503}, "no set": {Keys: "<html>"}, "an empty set": {Keys: `{"keys":[]}`}, "too large": {Keys: strings.Repeat(" ", 2<<20)},
	} {
		s.Break(fault)
		authn.AskAgain(v)
		if _, err := v.Verify(t.Context(), token(t, issuer(t), devissuer.Claims{Subject: "x"})); err == nil {
			t.Error("a stranger's token is taken")
		}
		authn.Forget(v)
		if _, err := v.Verify(t.Context(), good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBeforeTheKeysAreKnownNobodyIsLetIn(t *testing.T) {
	s := server(t)
	s.Break(devissuer.Faults{Status: 500})
	v := follow(t, s)
	good := of(t, s, devissuer.Claims{Subject: "ann"})
	if _, err := v.Verify(t.Context(), good); !errors.Is(err, authn.ErrNoKeys) {
		t.Errorf("%v", err)
	}
	s.Break(devissuer.Faults{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil { // the next fetch is at most some seconds away
		authn.AskAgain(v)
		if _, err := v.Verify(ctx, good); err == nil {
			return
		}
	}
	t.Error("the keys were never fetched")
}

func TestKeysAreNotFetchedInAWayThatOthersCanChange(t *testing.T) {
	for _, c := range []authn.Config{
		{Issuer: "http://issuer.example", Audience: "a"},
		{Issuer: "https://issuer.example", JWKSURL: "http://issuer.example/jwks", Audience: "a"},
		{Issuer: "issuer", Audience: "a"},
		{Issuer: "https://issuer.example", Audience: "a", Algorithms: []string{"HS256"}},
		{Issuer: "https://issuer.example", Audience: "a", Algorithms: []string{"none"}},
		{Issuer: "https://issuer.example"},
		{Audience: "a"},
	} {
		if v, err := authn.OpenIssuer(t.Context(), c); err == nil {
			v.Close()
			t.Errorf("%+v is taken", c)
		}
	}
	if _, err := devissuer.Listen(t.Context(), "0.0.0.0:0"); err == nil {
		t.Error("the development issuer listens to other machines")
	}
}

func TestAChainAsksTheVerifierOfTheIssuer(t *testing.T) {
	one, two := server(t), server(t)
	chain := authn.Chain(follow(t, one), follow(t, two), authn.NewFixed(map[string]*authn.Principal{"opaque": {Kind: authn.Service, Subject: "key"}}))
	for who, token := range map[string]string{"ann": of(t, one, devissuer.Claims{Subject: "ann"}), "bob": of(t, two, devissuer.Claims{Subject: "bob"}), "key": "opaque"} {
		if p, err := chain.Verify(t.Context(), token); err != nil || p.Subject != who {
			t.Errorf("%s: %+v %v", who, p, err)
		}
	}
	// What its own issuer refuses is not tried on another.
	if _, err := chain.Verify(t.Context(), of(t, one, devissuer.Claims{Subject: "ann", Audience: "other"})); !errors.Is(err, authn.ErrAudience) {
		t.Errorf("%v", err)
	}
	if _, err := chain.Verify(t.Context(), "stranger"); !errors.Is(err, authn.ErrUnauthenticated) {
		t.Errorf("%v", err)
	}
}

func TestOneIssuerThatIsAwayKeepsNobodyElseOut(t *testing.T) {
	away, there := server(t), server(t)
	away.Break(devissuer.Faults{Status: 503})
	first := follow(t, away)
	chain := authn.Chain(first, follow(t, there))
	if p, err := chain.Verify(t.Context(), of(t, there, devissuer.Claims{Subject: "ann"})); err != nil || p.Issuer != there.URL {
		t.Errorf("the other issuer's token: %v, %v", p, err)
	}
	if _, err := chain.Verify(t.Context(), of(t, away, devissuer.Claims{Subject: "ann"})); !errors.Is(err, authn.ErrNoKeys) {
		t.Errorf("a token of the issuer that is away: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := first.WaitReady(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for keys that are not known: %v", err)
	}
	away.Break(devissuer.Faults{})
	if err := first.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Verify(t.Context(), of(t, away, devissuer.Claims{Subject: "ann"})); err != nil {
		t.Errorf("once its keys are known: %v", err)
	}
}

func TestWaitingForKeysEndsWithTheVerifier(t *testing.T) {
	s := server(t)
	s.Break(devissuer.Faults{Status: 503})
	v := follow(t, s)
	v.Close()
	if err := v.WaitReady(t.Context()); !errors.Is(err, authn.ErrNoKeys) {
		t.Errorf("after Close: %v", err)
	}
}
