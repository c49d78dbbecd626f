// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
)

// HTTPOption configures [Guard.HTTP].
type HTTPOption func(*httpGuard)

// Routes names resources by the patterns of the mux that the guard stands before,
// instead of by paths.
func Routes(mux *http.ServeMux) HTTPOption {
	return func(h *httpGuard) {
		h.route = func(r *http.Request) string {
			_, pattern := mux.Handler(r)
			return pattern
		}
	}
}

type httpGuard struct {
	*Guard
	next  http.Handler
	route func(*http.Request) string
}

// HTTP returns a handler that lets through to next who may pass.
func (g *Guard) HTTP(next http.Handler, opts ...HTTPOption) http.Handler {
	h := &httpGuard{Guard: g, next: next}
	for _, o := range opts {
		o(h)
	}
	return h
}

func (h *httpGuard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Who a client says that it is, in headers that are for proxies, is nobody's business.
	authn.StripIdentity(r.Header)
	if h.public[r.URL.Path] {
		h.next.ServeHTTP(w, r)
		return
	}
	resource := policy.Entity{Type: "route", ID: r.URL.Path, Properties: map[string]any{"path": r.URL.Path}}
	if h.route != nil {
		if pattern := h.route(r); pattern != "" {
			resource.ID = pattern
		}
	}
	authorization := ""
	if values := r.Header.Values("Authorization"); len(values) == 1 {
		authorization = values[0] // two would leave open which counts
	}
	connection := r.TLS
	if r.Header["Authorization"] != nil {
		connection = nil // what came for a token is not passed over
	}
	ctx, id, err := h.admit(r.Context(), authorization, connection, r.Method, resource)
	if !id.IsZero() {
		w.Header().Set(HeaderDecision, id.String())
	}
	if err != nil {
		WriteError(w, err)
		return
	}
	h.next.ServeHTTP(w, r.WithContext(ctx))
}

// problem is an error as RFC 9457 wants it.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Rule     string `json:"rule,omitempty"`
	Decision string `json:"decision,omitempty"`
}

// WriteError answers a request with an error of this package or of authn as
// problem details; any other becomes 500 without its text.
func WriteError(w http.ResponseWriter, err error) {
	p := problem{Type: "about:blank", Status: http.StatusInternalServerError}
	var denied *DeniedError
	switch {
	case errors.As(err, &denied):
		p.Status, p.Rule, p.Decision = http.StatusForbidden, denied.Rule, denied.DecisionID
		p.Detail = "denied by rule " + denied.Rule
	case errors.Is(err, authn.ErrUnauthenticated):
		p.Status = http.StatusUnauthorized
		p.Detail = "a valid bearer token is needed"
		challenge := "Bearer"
		if err != authn.ErrUnauthenticated { //nolint:errorlint // the bare error means that no token came
			challenge = `Bearer error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	p.Title = http.StatusText(p.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone; there is nobody to tell
}
