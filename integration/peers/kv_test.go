// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/kv"
)

// BenchmarkKVRead reads one of 1,000 values of 256 bytes: from the copy in this process,
// from one member of etcd, and from etcd's leader.
func BenchmarkKVRead(b *testing.B) {
	c := coordtest.Client(b, coordtest.Etcd(b))
	plain, copied := kv.Open(c), kv.Open(c, kv.WithCopy(""))
	b.Cleanup(func() {
		_ = plain.Close() // the server ends too
		_ = copied.Close()
	})
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprint("key/", i)
		if _, err := plain.Put(b.Context(), keys[i], make([]byte, 256)); err != nil {
			b.Fatal(err)
		}
	}
	coordtest.Eventually(b, time.Minute, func() bool {
		began := time.Now()
		_, err := copied.Get(b.Context(), keys[999], kv.Local())
		return err == nil && time.Since(began) < 20*time.Microsecond // no request
	}, "the copy is loaded")
	for _, read := range []struct {
		name  string
		store *kv.Store
		opts  []kv.ReadOption
	}{
		{"local", copied, []kv.ReadOption{kv.Local()}},
		{"serializable", plain, []kv.ReadOption{kv.Local()}},
		{"linearizable", plain, nil},
	} {
		b.Run(read.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := read.store.Get(b.Context(), keys[i%len(keys)], read.opts...); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
