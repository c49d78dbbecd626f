// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"sync/atomic"
	"time"

	vm "github.com/VictoriaMetrics/metrics"
)

// Counter counts events.
type Counter struct {
	n     vm.Counter
	began atomic.Int64 // Unix nanoseconds
}

// Inc adds one.
func (c *Counter) Inc() { c.n.Inc() }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.AddInt64(int64(n)) } //nolint:gosec // the sum wraps as the counter does

// Dec takes one back. Readers see a counter that began again, and never less than 0.
func (c *Counter) Dec() { c.n.Dec() }

// Reset sets the counter to 0.
func (c *Counter) Reset() {
	c.n.Set(0)
	c.began.Store(time.Now().UnixNano())
}

// Value returns the count.
func (c *Counter) Value() uint64 { return max0(c.n.Get()) }

// max0 is 0 for a counter that was decremented below it.
func max0(n uint64) uint64 {
	if int64(n) < 0 { //nolint:gosec // that is what it is for
		return 0
	}
	return n
}

// Gauge holds a value that goes up and down.
type Gauge struct{ g vm.Gauge }

// Set sets the value.
func (g *Gauge) Set(v float64) { g.g.Set(v) }

// Add adds v, which may be negative.
func (g *Gauge) Add(v float64) { g.g.Add(v) }

// Inc adds one.
func (g *Gauge) Inc() { g.g.Inc() }

// Dec takes one away.
func (g *Gauge) Dec() { g.g.Dec() }

// Reset sets the value to 0.
func (g *Gauge) Reset() { g.g.Set(0) }

// Value returns the value.
func (g *Gauge) Value() float64 { return g.g.Get() }

// Histogram holds how often values of which size were recorded.
type Histogram struct {
	h     *vm.Histogram
	began atomic.Int64 // Unix nanoseconds
}

// Record counts a value. Negative values and NaN are left out.
func (h *Histogram) Record(v float64) { h.h.Update(v) }

// RecordSince counts the seconds since a time.
func (h *Histogram) RecordSince(start time.Time) { h.h.UpdateDuration(start) }

// Reset forgets all values.
func (h *Histogram) Reset() {
	h.h.Reset()
	h.began.Store(time.Now().UnixNano())
}
