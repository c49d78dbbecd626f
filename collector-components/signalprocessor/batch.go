// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"math"
	"sync"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/endpoint"
	"github.com/otelplat/platform/coord/signal/capacity"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// batch is what one export says. It is filled without a lock, then taken under the
// engine's, and used again.
type batch struct {
	engine *engine
	index  *endpoint.Index
	agents map[string]bool
	sender sender
	wall   int64 // nanoseconds of the collector's clock
	now    time.Duration

	// Of the resource that is being read.
	attributes   pcommon.Map
	service      string
	resourceHash uint64
	caller       uint64
	own          bool                                // the sender may speak for the service
	reportOf     [aggregate.Metrics + 1]serverReport // by source
	report       *serverReport                       // that the metric being read is for

	attempts []attempt
	calls    []aggregate.Span
	ejected  []ejection
	reports  []serverReport
	heard    []heard
	buckets  []uint64 // of all attempts
	call     call
	answers  [numAnswers]answer
	point    point   // that is being read
	at       attempt // that is made of it
	counts   [numSources][numReasons]int64
	kept     bool // something was for this processor
}

// attempt is a measurement of a caller; its buckets are those from first to last.
type attempt struct {
	caller      uint64
	target      aggregate.Target
	measurement aggregate.Measurement
	first, last int
}

type ejection struct {
	caller uint64
	target aggregate.Target
}

// heard is a source that has nothing to say yet.
type heard struct {
	caller      uint64
	service     string
	measurement aggregate.Measurement
}

// serverReport is what a resource says of itself.
type serverReport struct {
	caller   uint64
	service  string
	instance string
	source   aggregate.Source
	points   int64
	capacity capacity.Report
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// Retained at most by a batch that waits to be used again.
const (
	maxRetainedAttempts = 10_000
	maxRetainedBuckets  = 100_000
)

// free gives the batch back, with nothing of the export left in it.
func (b *batch) free() {
	if cap(b.attempts) > maxRetainedAttempts || cap(b.calls) > maxRetainedAttempts || cap(b.buckets) > maxRetainedBuckets {
		return
	}
	clear(b.attempts)
	clear(b.calls)
	clear(b.ejected)
	clear(b.reports)
	clear(b.heard)
	*b = batch{attempts: b.attempts[:0], calls: b.calls[:0], ejected: b.ejected[:0], reports: b.reports[:0], heard: b.heard[:0], buckets: b.buckets[:0]}
	batches.Put(b)
}

// Bounds of what a measurement may say. What is beyond them is garbage or a lie.
const (
	maxCount   = 1e9  // attempts in one point
	maxLatency = 3600 // seconds, of one attempt
)

// plausible reports whether so many attempts can have taken so long together.
func plausible(count uint64, sum float64) bool {
	return count <= maxCount && sum >= 0 && sum <= float64(count)*maxLatency
}

// within reports whether the mean of a histogram lies between its least and its greatest
// bucket, to a hundredth.
func within(count uint64, sum float64, scale, least, greatest int32, zero bool) bool {
	mean, base := sum/float64(count), math.Exp2(-float64(scale))
	if !zero && mean < 0.99*math.Exp2(float64(least)*base) {
		return false
	}
	return mean <= 1.01*math.Exp2(float64(greatest+1)*base)
}
