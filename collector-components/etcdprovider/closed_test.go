// SPDX-License-Identifier: Apache-2.0

//go:build !race

package etcdprovider

import (
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"
)

// The race detector reports any channel that is closed while somebody sends, which is
// what the resolver does and what is tested here.
func TestShutdownEndsWhatTellsACollectorThatNoLongerListens(t *testing.T) {
	w := newWorld(t)
	w.put("edge", "a: 1\n")
	w.provider()
	w.p.senderGrace = 10 * time.Millisecond
	full := make(chan error, 1)
	full <- nil
	var telling sync.WaitGroup
	telling.Add(1)
	if _, err := w.p.Retrieve(t.Context(), "etcd:edge", func(e *confmap.ChangeEvent) {
		telling.Done()
		full <- e.Error
	}); err != nil {
		t.Fatal(err)
	}
	w.put("edge", "a: 2\n")
	telling.Wait()
	senders := &w.p.senders
	w.shutdown()
	close(full) // as the resolver does
	senders.Wait()
}
