// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"time"
)

// Source is where an engine's bundle comes from. Its methods are safe for
// concurrent use. A source belongs to one [Engine], which closes it.
type Source interface {
	// Load returns the newest bundle without waiting: [ErrNotLoaded] when nothing
	// is known yet, [ErrNoBundle] when there is none, and another error for one
	// that is refused.
	Load() (Bundle, error)

	// Updates returns a channel that is sent to after Load's answer changed, at
	// once when something is known, and closed when the context or the source
	// ends. It holds one mark.
	Updates(ctx context.Context) <-chan struct{}

	// Age returns how long ago the bundle was known to be current.
	Age() time.Duration

	// Close ends what the source runs, and waits. It is idempotent.
	Close() error
}
