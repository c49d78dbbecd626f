// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func BenchmarkPick(b *testing.B) {
	for _, size := range []int{10, 1000} {
		b.Run(fmt.Sprintf("one/size=%d", size), func(b *testing.B) {
			w := newWorld(b, size)
			started := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				now := time.Hour + time.Since(started)
				a, _ := w.pool.Pick(Request{Now: now, Random: rand.IntN})
				a.Done(0, now, OK, Measured)
			}
		})
		b.Run(fmt.Sprintf("all/size=%d", size), func(b *testing.B) {
			w := newWorld(b, size)
			started := time.Now()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					now := time.Hour + time.Since(started)
					a, _ := w.pool.Pick(Request{Now: now, Random: rand.IntN})
					a.Done(0, now, OK, Measured)
				}
			})
		})
	}
}
