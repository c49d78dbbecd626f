// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"context"
	"errors"
	"time"
)

// ErrNotLoaded is what a [Source] returns before it has heard from where its
// values are.
var ErrNotLoaded = errors.New("configsrc: not loaded yet")

// Source is one layer. Its methods are safe for concurrent use. A source belongs
// to one [Live], which closes it.
type Source interface {
	// Name says where the values come from, for people: "file service.yaml".
	Name() string

	// Load returns the newest values, nested as the fields are, and their
	// revision, 0 for sources without. It does not wait: [ErrNotLoaded] means
	// that nothing is known yet. No values and no error means that the layer
	// sets nothing. The values are not changed afterwards by either side.
	Load() (values map[string]any, revision int64, err error)

	// Updates returns a channel that is sent to after Load's answer changed, and
	// closed when the context or the source ends. It holds one mark.
	Updates(ctx context.Context) <-chan struct{}

	// Age returns how long ago the values were known to be current.
	Age() time.Duration

	// Close ends what the source runs, and waits. It is idempotent.
	Close() error
}
