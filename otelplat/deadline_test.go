// SPDX-License-Identifier: Apache-2.0

package otelplat_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestAServerKeepsToItsCallersDeadline(t *testing.T) {
	tel := alone(t)
	for header, c := range map[string]struct{ bounded bool }{
		"250": {true}, "": {false}, "0": {false}, "-5": {false}, "soon": {false}, "99999999999": {false},
	} {
		t.Run("of "+header, func(t *testing.T) {
			var left time.Duration
			var bounded bool
			h := tel.HTTPHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				var deadline time.Time
				deadline, bounded = r.Context().Deadline()
				left = time.Until(deadline)
			}), "test")
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			if header != "" {
				r.Header.Set("X-Envoy-Expected-Rq-Timeout-Ms", header)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if bounded != c.bounded || bounded && left > 250*time.Millisecond {
				t.Errorf("bounded %v with %v left, want %v", bounded, left, c.bounded)
			}
		})
	}
}
