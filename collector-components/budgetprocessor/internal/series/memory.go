// SPDX-License-Identifier: Apache-2.0

package series

import "sync/atomic"

// Memory bounds what all tables of a process take. It is safe for concurrent use.
type Memory struct {
	limit int64
	used  atomic.Int64
}

// NewMemory returns a bound of so many bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit} }

// Used returns the bytes that are taken.
func (m *Memory) Used() int64 { return m.used.Load() }

// Limit returns the bytes that may be taken.
func (m *Memory) Limit() int64 { return m.limit }

// take takes bytes if there are as many.
func (m *Memory) take(n int) bool {
	if m.used.Add(int64(n)) > m.limit {
		m.used.Add(int64(-n))
		return false
	}
	return true
}

func (m *Memory) give(n int) { m.used.Add(int64(-n)) }
