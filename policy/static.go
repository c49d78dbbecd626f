// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/wake"
)

// Memory is a source that the program sets: for tests, and for policies that are
// part of a program.
type Memory struct {
	bundle  atomic.Pointer[Bundle]
	updates wake.Set
}

// Static returns a source of one bundle, by the names of its files.
func Static(name string, files map[string]string) *Memory {
	m := &Memory{}
	m.Set(Bundle{Name: name, Revision: "1", Files: files})
	return m
}

// Set replaces the bundle. One without files removes it. The files must not be
// changed afterwards.
func (m *Memory) Set(b Bundle) {
	m.bundle.Store(&b)
	m.updates.Notify()
}

// Load returns the bundle that was set last.
func (m *Memory) Load() (Bundle, error) {
	b := m.bundle.Load()
	if b == nil || len(b.Files) == 0 {
		return Bundle{}, ErrNoBundle
	}
	return *b, b.check()
}

// Updates returns a channel that is sent to after [Memory.Set].
func (m *Memory) Updates(ctx context.Context) <-chan struct{} { return m.updates.Add(ctx, wake.Always) }

// Age returns 0.
func (m *Memory) Age() time.Duration { return 0 }

// Close ends the channels of Updates.
func (m *Memory) Close() error {
	m.updates.Close()
	return nil
}
