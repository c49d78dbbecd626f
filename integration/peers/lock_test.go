// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/lock"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// A contender takes and gives the lock once when it is called.
type contender func(ctx context.Context) error

func ours(b *testing.B, c *coord.Client) contender {
	l := lock.Open(c)
	b.Cleanup(func() { _ = l.Close() }) // the server ends too
	return func(ctx context.Context) error {
		h, err := l.Lock(ctx, "l")
		if err != nil {
			return err
		}
		return h.Unlock(ctx)
	}
}

func etcdsOwn(b *testing.B, c *coord.Client) contender {
	s, err := concurrency.NewSession(c.Etcd(), concurrency.WithTTL(10))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() }) // the server ends too
	m := concurrency.NewMutex(s, c.Key("peer"))
	return func(ctx context.Context) error {
		if err := m.Lock(ctx); err != nil {
			return err
		}
		return m.Unlock(ctx)
	}
}

// BenchmarkLockHandoff: one op is one lock and unlock by one of the contenders, each of
// which has a client of its own. etcd does not fsync, for both.
func BenchmarkLockHandoff(b *testing.B) {
	rate := make(map[int]float64)
	for _, who := range []struct {
		name string
		open func(*testing.B, *coord.Client) contender
	}{{"otelplat", ours}, {"etcd-concurrency", etcdsOwn}} {
		b.Run(who.name, func(b *testing.B) {
			for _, n := range []int{1, 2, 4, 16, 64} {
				b.Run(fmt.Sprintf("contenders=%d", n), func(b *testing.B) {
					server := coordtest.Etcd(b)
					space := coordtest.Client(b, server).Namespace()
					all := make([]contender, n)
					for i := range all {
						all[i] = who.open(b, coordtest.Client(b, server, coord.WithNamespace(space)))
						if err := all[i](b.Context()); err != nil { // leases and connections are there
							b.Fatal(err)
						}
					}
					var left atomic.Int64
					left.Store(int64(b.N))
					var wg sync.WaitGroup
					b.ResetTimer()
					for _, cycle := range all {
						wg.Go(func() {
							for left.Add(-1) >= 0 {
								if err := cycle(b.Context()); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					wg.Wait()
					b.StopTimer()
					cycles := float64(b.N) / b.Elapsed().Seconds()
					b.ReportMetric(cycles, "cycles/s")
					if who.name == "otelplat" {
						rate[n] = cycles
					} else if rate[n] > 0 {
						b.ReportMetric(rate[n]/cycles, "otelplat-ratio")
					}
				})
			}
		})
	}
}
