// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
)

// listening is an issuer.
func listening(t *testing.T) *devissuer.Server {
	t.Helper()
	server, err := devissuer.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

// following is a gateway that knows its keys: by the middleware over HTTP.
func following(t *testing.T, server *devissuer.Server) *gateway {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.WaitForKeys, cfg.Issuers = time.Minute, []IssuerConfig{{Issuer: server.URL}}
	return open(t, cfg, authenticated(), behindMiddleware())
}

// signed is a token of the issuer's newest key.
func signed(t *testing.T, server *devissuer.Server) string {
	t.Helper()
	text, err := server.Token(devissuer.Claims{Subject: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// rotated is a token of the issuer's next key.
func rotated(t *testing.T, server *devissuer.Server) string {
	t.Helper()
	if err := server.Rotate(); err != nil {
		t.Fatal(err)
	}
	return signed(t, server)
}

func TestAfterARotationTheFirstBatchesAreTakenHoweverManyComeAtOnce(t *testing.T) {
	server := listening(t)
	g := following(t, server)
	before := server.Fetches()
	fresh := rotated(t, server)
	server.Break(devissuer.Faults{Delay: 50 * time.Millisecond})
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := g.export(t, "http", fresh, map[string]any{"insecure": true}); err != nil {
				t.Errorf("a batch with the new key: %v", err)
			}
		})
	}
	wg.Wait()
	if n := server.Fetches() - before; n != 1 || len(g.refusals(t)) != 0 {
		t.Errorf("%d fetches, refused %v; expected one and nobody", n, g.refusals(t))
	}
}

func TestARotationWhileTheIssuerIsAwayLosesNoBatch(t *testing.T) {
	server := listening(t)
	g := following(t, server)
	known := signed(t, server)
	server.Break(devissuer.Faults{Status: http.StatusServiceUnavailable})
	fresh := rotated(t, server)
	_, answer, body := g.post(t, nil, fresh)
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") != "2" || answer.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("the answer is %d %v, expected 503 and when to try again", answer.StatusCode, answer.Header)
	}
	if code, _ := decode(t, answer.Header.Get("Content-Type"), body); code != codes.Unavailable {
		t.Errorf("the status in the body is %v", code)
	}
	if _, code := g.overGRPC(t, insecure.NewCredentials(), fresh); code != codes.Unavailable {
		t.Errorf("over gRPC the answer is %v, expected Unavailable", code)
	}
	if who, code := g.overHTTP(t, known); who != "jwt user:ann" {
		t.Errorf("with a known key the sender is %q, status %d", who, code)
	}
	g.sender.Store(nil)
	sent := make(chan error, 1)
	go func() { sent <- g.export(t, "http", fresh, map[string]any{"insecure": true}) }()
	coordtest.Eventually(t, patience, func() bool { return g.refusals(t)["key_not_fetched"] >= 3 }, "the exporter to be refused")
	server.Break(devissuer.Faults{})
	if err := <-sent; err != nil {
		t.Fatalf("the exporter gave up: %v", err)
	}
	if who := g.sender.Load(); who == nil || *who != "jwt user:ann" {
		t.Errorf("the sender is %v", who)
	}
}

func TestAKeyThatTheIssuerDoesNotHaveIsRefusedUnlessItWasNotLookedFor(t *testing.T) {
	server := listening(t)
	gone := signed(t, server)
	good := rotated(t, server)
	server.Retire()
	g := following(t, server)
	if _, code := g.overHTTP(t, gone); code != http.StatusUnauthorized || g.refusals(t)["unknown_key"] != 1 {
		t.Errorf("after a fetch for it the answer is %d, counted %v; expected 401", code, g.refusals(t))
	}
	if _, code := g.overHTTP(t, gone); code != http.StatusServiceUnavailable || g.refusals(t)["key_not_fetched"] != 1 {
		t.Errorf("a moment later the answer is %d, counted %v; expected 503", code, g.refusals(t))
	}
	if who, code := g.overHTTP(t, good); who != "jwt user:ann" {
		t.Errorf("meanwhile the sender of a known key is %q, status %d", who, code)
	}
}
