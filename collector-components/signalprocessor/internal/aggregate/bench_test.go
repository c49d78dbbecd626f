// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkLook looks at 10,000 instances of 1,000 services with three callers each, once.
func BenchmarkLook(b *testing.B) {
	a := New(base, 10_000)
	now := time.Hour
	m := &Measurement{Count: 20, Sum: 0.2, Scale: 3, Offset: -60, Buckets: []uint64{1, 3, 8, 5, 2, 1}}
	for range 60 {
		now += time.Second
		for i := range 30_000 {
			if err := a.Record(now, uint64(i/10_000), Target{Service: fmt.Sprint("s", i%1000), Instance: fmt.Sprint("i", i%10_000)}, m); err != nil {
				b.Fatal(err)
			}
		}
	}
	a.Look(now)
	for _, w := range a.Pending() {
		a.Share(now, w)
	}
	b.ReportAllocs()
	for b.Loop() {
		a.Look(now)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/instance")
}

// BenchmarkSpan records one exact latency, as spans do.
func BenchmarkSpan(b *testing.B) {
	a := New(base, 10_000)
	targets := make([]Target, 1000)
	for i := range targets {
		targets[i] = Target{Service: fmt.Sprint("s", i%100), Instance: fmt.Sprint("i", i)}
	}
	m := &Measurement{Count: 1, Sum: 0.012, Offset: -51, Exact: true, Source: Spans}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := a.Record(time.Duration(i)*time.Microsecond, 7, targets[i%len(targets)], m); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
