// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/endpoint"
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

// BenchmarkSpan records calls of a hundred instances.
func BenchmarkSpan(b *testing.B) {
	a := New(base, 10_000)
	spans := make([]Span, 100)
	for i := range spans {
		known := &endpoint.Instance{Service: fmt.Sprint("s", i%10), ID: fmt.Sprint("i", i), Number: uint32(i)}
		spans[i] = Span{Caller: 7, Known: known, Count: 1, Sum: 0.012, Bucket: -51}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := a.RecordSpan(time.Duration(i/1000)*time.Millisecond, &spans[i%len(spans)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
