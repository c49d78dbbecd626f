// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"math"
	"slices"
)

// Scale is the resolution of latency histograms: bucket boundaries lie at
// powers of 2^(1/2^Scale) = 1.0905, so the midpoint of a bucket is within 4.4 %
// of every value in it. It is OpenTelemetry's base-2 exponential histogram.
const Scale = 3

// Latencies outside of these bounds count at the bound. Between them lie
// 32 octaves, which bounds a histogram at maxBuckets buckets.
const (
	minLatency = 1.0 / (1 << 20) // seconds: about 1 µs
	maxLatency = 1 << 12         // seconds: a little over an hour

	minIndex   = -20 * (1 << Scale)
	maxIndex   = 12*(1<<Scale) - 1
	maxBuckets = maxIndex - minIndex + 1
)

// Histogram is a distribution of latencies in seconds. The zero value is empty
// and ready to use. It is not safe for concurrent use.
type Histogram struct {
	Sum    float64  // seconds, of all values
	Offset int32    // index of the first element of Counts
	Counts []uint64 // bucket i holds (2^(i/8), 2^((i+1)/8)] seconds
}

// bucketOf returns the index of the bucket that holds v seconds. Upper bounds
// are inclusive, as OpenTelemetry has them.
func bucketOf(v float64) int32 {
	switch {
	case !(v > minLatency): // also NaN
		return minIndex
	case v >= maxLatency:
		return maxIndex
	}
	// v = fraction × 2^exponent with a fraction of [0.5, 1): what is left is to find the
	// eighth of the octave, which takes a third of the time of a logarithm.
	fraction, exponent := math.Frexp(v)
	at := int32(0)
	for step := int32(4); step > 0; step /= 2 {
		if fraction > octave[at+step] {
			at += step
		}
	}
	if fraction > octave[at] {
		at++
	}
	return int32(exponent-1)<<Scale + at - 1
}

// octave are the bounds 2^(i/8 - 1) of the buckets within an octave.
var octave = func() (bounds [1<<Scale + 1]float64) {
	for i := range bounds {
		bounds[i] = math.Exp2(float64(i)/(1<<Scale) - 1)
	}
	return bounds
}()

// Bucket returns the index of the bucket, at [Scale], that holds v seconds.
func Bucket(v float64) int32 { return bucketOf(v) }

// Midpoint returns the geometric middle, in seconds, of bucket i at the given
// scale. It is where a coarser or finer histogram's bucket is counted.
func Midpoint(i int32, scale int32) float64 {
	return math.Exp2((float64(i) + 0.5) * math.Exp2(-float64(scale)))
}

// Record counts n values of v seconds.
func (h *Histogram) Record(v float64, n uint64) {
	if n == 0 {
		return
	}
	h.count(bucketOf(v), n)
	h.Sum += v * float64(n)
}

// AddBucket counts n values at a bucket index of another scale, without adding
// to Sum: exporters give the exact sum beside the buckets.
func (h *Histogram) AddBucket(index, scale int32, n uint64) {
	if n == 0 {
		return
	}
	if shift := scale - Scale; shift >= 0 && shift < 31 {
		// Finer buckets nest in ours: the upper bound of bucket i at scale s
		// lies in bucket i>>(s-3). Exact.
		h.count(min(max(index>>shift, minIndex), maxIndex), n)
		return
	}
	h.count(bucketOf(Midpoint(index, scale)), n)
}

func (h *Histogram) count(i int32, n uint64) {
	switch {
	case len(h.Counts) == 0:
		h.Offset = i
		h.Counts = append(h.Counts, n)
		return
	case i < h.Offset:
		grow := int(h.Offset - i)
		h.Counts = slices.Insert(h.Counts, 0, make([]uint64, grow)...)
		h.Offset = i
	case int(i-h.Offset) >= len(h.Counts):
		h.Counts = append(h.Counts, make([]uint64, int(i-h.Offset)+1-len(h.Counts))...)
	}
	h.Counts[i-h.Offset] += n
}

// Add adds every value of o. Addition is associative and commutative in the
// counts, which is what lets readers merge shares in any order.
func (h *Histogram) Add(o *Histogram) {
	h.Sum += o.Sum
	for i, n := range o.Counts {
		if n > 0 {
			h.count(o.Offset+int32(i), n)
		}
	}
}

// Reset empties the histogram and keeps its memory.
func (h *Histogram) Reset() {
	h.Sum, h.Offset, h.Counts = 0, 0, h.Counts[:0]
}

// Count returns the number of values.
func (h *Histogram) Count() uint64 {
	var n uint64
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Mean returns the mean in seconds, 0 when the histogram is empty.
func (h *Histogram) Mean() float64 {
	n := h.Count()
	if n == 0 {
		return 0
	}
	return h.Sum / float64(n)
}

// Quantile returns the value in seconds below which the fraction q (0 to 1) of
// the values lies, within 4.4 %; 0 when the histogram is empty.
func (h *Histogram) Quantile(q float64) float64 {
	n := h.Count()
	if n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(min(max(q, 0), 1) * float64(n)))
	rank = max(rank, 1)
	var seen uint64
	for i, c := range h.Counts {
		if seen += c; seen >= rank {
			return Midpoint(h.Offset+int32(i), Scale)
		}
	}
	return Midpoint(h.Offset+int32(len(h.Counts)-1), Scale)
}
