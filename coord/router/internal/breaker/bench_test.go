// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// BenchmarkAdmit decides about a request to a service.
func BenchmarkAdmit(b *testing.B) {
	opened := New("", Settings{})
	fails(opened, 0)
	for _, c := range []struct {
		name    string
		breaker *Breaker
		fleet   *signal.Circuit
	}{
		{"closed/by=fleet", New("", Settings{}), &signal.Circuit{}},
		{"closed/by=process", New("", Settings{}), nil},
		{"half-open/by=fleet", New("", Settings{}), halfOpen(1, 0)},
		{"half-open/by=process", opened, nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = c.breaker.Share(35*time.Second, NotForced, c.fleet) > 0.5
			}
		})
	}
}

// BenchmarkDecide decides, and says why.
func BenchmarkDecide(b *testing.B) {
	k, c := New("", Settings{}), &signal.Circuit{}
	b.ReportAllocs()
	for b.Loop() {
		d := k.Decide(35*time.Second, NotForced, c)
		_ = d.Admits(0.5)
	}
}

func BenchmarkRecord(b *testing.B) {
	k := New("", Settings{})
	b.ReportAllocs()
	now := time.Duration(0)
	for b.Loop() {
		now += 100 * time.Microsecond
		k.Record(now, Success, 0.5)
	}
}

func BenchmarkRecordParallel(b *testing.B) {
	k := New("", Settings{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for now := time.Duration(0); pb.Next(); now += 100 * time.Microsecond {
			k.Record(now, Success, 0.5)
		}
	})
}
