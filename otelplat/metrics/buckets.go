// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bufio"
	"bytes"
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// scale of the exponential histograms: 8 buckets for each power of two, as in
// otelplat's signals.
const scale = 3

// zeroThreshold is VictoriaMetrics' least bucket: what is not more counts as zero.
const zeroThreshold = 1e-9

// bucket is a range of VictoriaMetrics, of which the lower bound is left out.
type bucket struct {
	from, to float64
	count    uint64
}

// measured is what a histogram holds.
type measured struct {
	buckets []bucket // in order
	count   uint64
	sum     float64
}

// read reads all histograms of the set, by their names there. VictoriaMetrics tells
// the sums only in its text format, where numbers are exact.
func (s *Set) read() map[string]*measured {
	var text bytes.Buffer
	s.vm.WritePrometheus(&text)
	all := make(map[string]*measured)
	lines := bufio.NewScanner(&text)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		name, labels, _ := strings.Cut(name, "{")
		name, what, _ := strings.Cut(name, "_")
		m := all[name]
		if m == nil {
			m = &measured{}
			all[name] = m
		}
		switch what {
		case "sum":
			m.sum, _ = strconv.ParseFloat(value, 64)
		case "bucket":
			from, to, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(labels, `vmrange="`), `"}`), "...")
			var b bucket
			b.from, _ = strconv.ParseFloat(from, 64)
			b.to, _ = strconv.ParseFloat(to, 64)
			b.count, _ = strconv.ParseUint(value, 10, 64)
			m.buckets = append(m.buckets, b)
			m.count += b.count
		}
	}
	return all
}

// exponential puts each bucket's count where its geometric middle is.
func (m *measured) exponential() (zero uint64, positive metricdata.ExponentialBucket) {
	type indexed struct {
		at    int32
		count uint64
	}
	var list []indexed
	for _, b := range m.buckets {
		if b.to <= zeroThreshold {
			zero += b.count
			continue
		}
		list = append(list, indexed{index(b.middle()), b.count})
	}
	if len(list) == 0 {
		return zero, positive
	}
	first, last := list[0].at, list[0].at
	for _, i := range list {
		first, last = min(first, i.at), max(last, i.at)
	}
	positive.Offset, positive.Counts = first, make([]uint64, last-first+1)
	for _, i := range list {
		positive.Counts[i.at-first] += i.count
	}
	return zero, positive
}

// middle is where the bucket's values are taken to be.
func (b bucket) middle() float64 {
	if math.IsInf(b.to, 1) {
		return b.from * 1.01 // what is beyond 1e18 stays there
	}
	return math.Sqrt(b.from * b.to)
}

// index is the exponential bucket of a value: the i with base^i < v ≤ base^(i+1),
// base = 2^(1/8).
func index(v float64) int32 {
	return int32(math.Ceil(math.Log2(v)*(1<<scale))) - 1
}
