// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/wake"
)

// Memory is a layer that the program sets itself: for tests, and for flags of a
// command line. The zero value sets nothing and is ready to use.
type Memory struct {
	state   atomic.Pointer[memoryState]
	updates wake.Set
}

type memoryState struct {
	values   map[string]any
	revision int64
}

// Set replaces the layer's values. Nil removes them. The map must not be changed
// afterwards.
func (m *Memory) Set(values map[string]any) {
	for {
		was := m.state.Load()
		next := &memoryState{values: values, revision: 1}
		if was != nil {
			next.revision = was.revision + 1
		}
		if m.state.CompareAndSwap(was, next) {
			break
		}
	}
	m.updates.Notify()
}

// Name returns "memory".
func (m *Memory) Name() string { return "memory" }

// Load returns what was set last.
func (m *Memory) Load() (map[string]any, int64, error) {
	s := m.state.Load()
	if s == nil {
		return nil, 0, nil
	}
	return s.values, s.revision, nil
}

// Updates returns a channel that is sent to after [Memory.Set].
func (m *Memory) Updates(ctx context.Context) <-chan struct{} { return m.updates.Add(ctx, nil) }

// Age returns 0.
func (m *Memory) Age() time.Duration { return 0 }

// Close ends the channels of Updates.
func (m *Memory) Close() error {
	m.updates.Close()
	return nil
}
