// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/mirror"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// BenchmarkMirrorGet reads a mirror of real etcd data while 1,000 updates a second are
// applied to it, and a plain Go map that nobody writes to.
func BenchmarkMirrorGet(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		server := coordtest.Etcd(b)
		c := coordtest.Client(b, server)
		keys := load(b, c, n)
		m, perKey := open(b, c, n)
		plain := make(map[string]uint64, n)
		for _, k := range keys {
			plain[k], _ = m.Get(k)
		}
		order := rand.Perm(n)
		shuffled := make([]string, n)
		for i, at := range order { // a request's key is not the map's own string
			shuffled[i] = strings.Clone(keys[at])
		}
		for _, access := range []struct {
			name string
			keys []string
		}{{"one", shuffled[:1]}, {"uniform", shuffled}} {
			var map1 float64
			b.Run(fmt.Sprintf("gomap/keys=%d/access=%s", n, access.name), func(b *testing.B) {
				var sum uint64
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					sum += plain[access.keys[i]]
					if i++; i == len(access.keys) {
						i = 0
					}
				}
				_ = sum
				map1 = float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			})
			b.Run(fmt.Sprintf("otelplat/keys=%d/access=%s", n, access.name), func(b *testing.B) {
				end := update(b, c, keys)
				defer end()
				i := 0
				var sum uint64
				b.ReportAllocs()
				b.ResetTimer()
				for b.Loop() {
					v, _ := m.Get(access.keys[i])
					sum += v
					if i++; i == len(access.keys) {
						i = 0
					}
				}
				_ = sum
				if map1 > 0 {
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/map1, "x-gomap")
				}
				b.ReportMetric(perKey, "B/key")
			})
		}
		if err := m.Close(); err != nil {
			b.Fatal(err)
		}
		server.Stop()
	}
}

func load(b *testing.B, c *coord.Client, n int) []string {
	keys := make([]string, n)
	value := make([]byte, 8)
	ops := make([]clientv3.Op, 0, 128)
	for i := range keys {
		keys[i] = fmt.Sprintf("service-%03d/instance-%07d", i%1000, i)
		binary.BigEndian.PutUint64(value, uint64(i))
		ops = append(ops, clientv3.OpPut(c.Key("m", keys[i]), string(value)))
		if len(ops) == cap(ops) || i == n-1 {
			if _, err := c.Etcd().Txn(b.Context()).Then(ops...).Commit(); err != nil {
				b.Fatal(err)
			}
			ops = ops[:0]
		}
	}
	return keys
}

// open mirrors the keys, and returns what one takes in memory, its value included.
func open(b *testing.B, c *coord.Client, n int) (*mirror.Mirror[uint64], float64) {
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	m, err := mirror.Open(b.Context(), c, "m/", func(_ string, raw []byte) (uint64, error) { return binary.BigEndian.Uint64(raw), nil })
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	if err := m.WaitReady(ctx); err != nil {
		b.Fatal(err)
	}
	if m.Len() != n {
		b.Fatalf("%d of %d keys", m.Len(), n)
	}
	return m, float64(int64(heap()-before)) / float64(n)
}

// update writes 1,000 keys a second, ten in a transaction each 10 ms, until end is
// called.
func update(b *testing.B, c *coord.Client, keys []string) (end func()) {
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		value := make([]byte, 8)
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			at := rand.N(max(len(keys)-10, 1)) //nolint:gosec // spreads load
			ops := make([]clientv3.Op, 0, 10)
			for i := range 10 {
				binary.BigEndian.PutUint64(value, uint64(i))
				ops = append(ops, clientv3.OpPut(c.Key("m", keys[at+i]), string(value)))
			}
			if _, err := c.Etcd().Txn(ctx).Then(ops...).Commit(); err != nil && ctx.Err() == nil {
				b.Error(err)
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
