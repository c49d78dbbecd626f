// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"time"

	"github.com/otelplat/platform/otelplat/event/jetstream"
)

// openWithin returns a bus that is connected, or what the context says. jetstream.Open knows no
// context, and a resolver that says nothing holds it and its Close up for as long as it likes:
// then both are left to themselves.
func openWithin(ctx context.Context, opts []jetstream.Option) (*jetstream.Bus, error) {
	type result struct {
		bus *jetstream.Bus
		err error
	}
	opened := make(chan result, 1)
	go func() {
		bus, err := jetstream.Open(opts...)
		opened <- result{bus, err}
	}()
	var bus *jetstream.Bus
	select {
	case r := <-opened:
		if r.err != nil {
			return nil, r.err
		}
		bus = r.bus
	case <-ctx.Done():
		go func() {
			if r := <-opened; r.err == nil {
				_ = r.bus.Close() // nothing was opened on it
			}
		}()
		return nil, ctx.Err()
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !bus.Connected() {
		select {
		case <-ctx.Done():
			closeSoon(bus)
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
	return bus, nil
}

// closeWait bounds how long a command that only read waits for its connection to be closed.
const closeWait = time.Second

func closeSoon(bus *jetstream.Bus) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = bus.Close() // only read
	}()
	wait := time.NewTimer(closeWait)
	defer wait.Stop()
	select {
	case <-closed:
	case <-wait.C:
	}
}
