// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/guard"
)

// echo is a server that answers with the Authorization that it got.
func echo(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Join(r.Header.Values("Authorization"), ","))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// ask returns what a server answers to a client with these credentials.
func ask(ctx context.Context, t *testing.T, c *guard.Credentials, url string) string {
	t.Helper()
	base := &http.Transport{DisableKeepAlives: true}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: c.Transport(base)}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestARedirectToAnotherOriginDoesNotGetTheToken(t *testing.T) {
	other := echo(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/same", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/here", http.StatusFound) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusFound) })
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	}))
	t.Cleanup(back.Close)
	mux.HandleFunc("/back", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, back.URL+"?to=http://"+r.Host+"/here", http.StatusFound)
	})
	mux.HandleFunc("/twice", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/away", http.StatusFound) })
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Authorization")) })
	first := httptest.NewServer(mux)
	t.Cleanup(first.Close)
	own := guard.TokenFile(tokenFile(t, "alice"))
	for path, want := range map[string]string{"/here": "Bearer alice", "/same": "Bearer alice", "/away": "", "/twice": "", "/back": ""} {
		if got := ask(t.Context(), t, own, first.URL+path); got != want {
			t.Errorf("%s sent %q, want %q", path, got, want)
		}
	}
	// Nor does it with a token that may go in plain text.
	if got := ask(t.Context(), t, guard.TokenFile(tokenFile(t, "alice"), guard.Plaintext()), first.URL+"/away"); got != "" {
		t.Errorf("sent %q", got)
	}
}

func TestForwardOverHTTP(t *testing.T) {
	next := echo(t)
	var got string
	g := newGuard(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(_ http.ResponseWriter, r *http.Request) {
		got = ask(r.Context(), t, guard.Forward(), next)
	})
	r := httptest.NewRequest(http.MethodGet, "/orders/1", nil)
	r.Header.Set("Authorization", "Bearer alice")
	g.HTTP(mux, guard.Routes(mux)).ServeHTTP(httptest.NewRecorder(), r)
	if got != "Bearer alice" {
		t.Errorf("the caller's token went on as %q", got)
	}
	if got := ask(t.Context(), t, guard.Forward(), next); got != "" {
		t.Errorf("outside of a request %q was sent", got)
	}
	// A principal in a context is no token: only what a guard took is passed on.
	ctx := authn.NewContext(t.Context(), &authn.Principal{Kind: authn.User, Subject: "alice"})
	if got := ask(ctx, t, guard.Forward(), next); got != "" {
		t.Errorf("for a principal without a request %q was sent", got)
	}
}

func TestTwoAuthorizationsAreNone(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/orders/1", nil)
	r.Header["Authorization"] = []string{"Bearer alice", "Bearer viewer"}
	w := httptest.NewRecorder()
	newGuard(t).HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") })).ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("%d %s, want 401: it is open which counts", w.Code, w.Body)
	}
}
