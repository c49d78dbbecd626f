// SPDX-License-Identifier: Apache-2.0

// Package again tries something until it succeeds, cannot succeed, or the time is
// over.
package again

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstWait = 50 * time.Millisecond
	maxWait   = time.Second
)

// Until calls try until it returns no error or a final one, which Until returns. When
// the context ends, Until returns the last error and that of the context. Between
// two tries it waits 50 ms, doubled each time up to a second, up to a half less.
func Until(ctx context.Context, try func() (final bool, err error)) (last, ended error) {
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		final, err := try()
		if err == nil || final {
			return err, nil
		}
		select {
		case <-ctx.Done():
			return err, ctx.Err()
		case <-time.After(wait/2 + rand.N(wait/2)): //nolint:gosec // a delay, not a secret
		}
	}
}
