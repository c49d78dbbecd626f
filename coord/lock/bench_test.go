// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/lock"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// BenchmarkContended compares with clientv3/concurrency, on one etcd without
// fsync: so many contenders, each with a client of its own, take the lock in turns.
func BenchmarkContended(b *testing.B) {
	for _, contenders := range []int{1, 2, 8} {
		server := coordtest.Etcd(b)
		ours := cycles(b, server, contenders, func(c *coord.Client) (func(context.Context) error, func()) {
			l := lock.Open(c)
			return func(ctx context.Context) error {
				h, err := l.Lock(ctx, "l")
				if err != nil {
					return err
				}
				return h.Unlock(context.WithoutCancel(ctx))
			}, func() { l.Close() }
		})
		peers := cycles(b, server, contenders, func(c *coord.Client) (func(context.Context) error, func()) {
			s, err := concurrency.NewSession(c.Etcd(), concurrency.WithTTL(10))
			if err != nil {
				b.Fatal(err)
			}
			m := concurrency.NewMutex(s, c.Key("peer"))
			return func(ctx context.Context) error {
				if err := m.Lock(ctx); err != nil {
					return err
				}
				return m.Unlock(context.WithoutCancel(ctx))
			}, func() { s.Close() }
		})
		b.Run(fmt.Sprintf("contenders=%d", contenders), func(b *testing.B) {
			b.ReportMetric(ours, "otelplat-cycles/s")
			b.ReportMetric(peers, "concurrency-cycles/s")
			b.ReportMetric(ours/peers, "ratio")
			b.ReportMetric(0, "ns/op")
		})
		server.Stop()
	}
}

// cycles returns how often a second the contenders together take and give the
// lock.
func cycles(b *testing.B, server *coordtest.Server, contenders int, open func(*coord.Client) (cycle func(context.Context) error, end func())) float64 {
	const long = 3 * time.Second
	ctx, cancel := context.WithTimeout(b.Context(), long)
	defer cancel()
	space := coordtest.Client(b, server).Namespace()
	var total sync.Map
	var wg sync.WaitGroup
	for i := range contenders {
		cycle, end := open(coordtest.Client(b, server, coord.WithNamespace(space)))
		wg.Go(func() {
			defer end()
			n := 0
			for ctx.Err() == nil {
				if err := cycle(ctx); err == nil {
					n++
				}
			}
			total.Store(i, n)
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range total.Range {
		sum += n.(int)
	}
	return float64(sum) / long.Seconds()
}
