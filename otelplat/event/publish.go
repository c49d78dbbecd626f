// SPDX-License-Identifier: Apache-2.0

package event

import (
	"context"
	"sync/atomic"
)

// Publisher takes events. [*Client] and every [Bus] are publishers.
type Publisher interface {
	// Publish returns nil when the event is stored.
	Publish(ctx context.Context, e Event) error
}

// current is what [Publish] uses.
var current atomic.Pointer[Publisher]

// SetPublisher sets the publisher that [Publish] uses, nil for none.
// otelplat.Start sets one when OTELPLAT_EVENTS_ENDPOINT is set; a test sets a
// [Memory].
func SetPublisher(p Publisher) {
	if p == nil {
		current.Store(nil)
		return
	}
	current.Store(&p)
}

// Publish publishes an event with the process's publisher, and returns nil when it
// is stored. It returns [ErrNoPublisher], an [*Error] for an event that cannot be
// published, [ErrUncertain], or why the event was refused.
func Publish(ctx context.Context, e Event) error {
	p := current.Load()
	if p == nil {
		return ErrNoPublisher
	}
	return (*p).Publish(ctx, e)
}
