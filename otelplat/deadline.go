// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// expectedTimeout is Envoy's header for the milliseconds that a caller still waits, which
// coord/router sends; over gRPC the deadline travels by itself.
const expectedTimeout = "X-Envoy-Expected-Rq-Timeout-Ms"

// maxExpectedTimeout is more than any caller waits: what is beyond is no deadline.
const maxExpectedTimeout = time.Hour

// bounded returns the request with its caller's deadline, so that nobody works for an
// answer that nobody waits for. It can only make the time shorter that the server allows.
func bounded(r *http.Request) (*http.Request, context.CancelFunc) {
	values := r.Header[expectedTimeout]
	if len(values) == 0 {
		return r, func() {}
	}
	ms, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || ms <= 0 || ms > maxExpectedTimeout.Milliseconds() {
		return r, func() {}
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(ms)*time.Millisecond)
	return r.WithContext(ctx), cancel
}
