// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/otelplat/platform/policy/compile"
)

const (
	cacheSlots = 4096 // decisions of one entrypoint that are kept, at most
	cacheWays  = 4    // places that one key can be in
	maxKeySize = 2048 // bytes: requests that differ in so much are seldom asked again
)

// cache keeps the decisions of an entrypoint that OPA evaluates, by exactly those parts
// of the input that they can depend on. It belongs to one snapshot, so that another
// revision starts with an empty one. Errors are not kept. Reads take no lock: a place
// holds one decision, and whoever needs it takes it.
type cache struct {
	key   *compile.Key
	seed  maphash.Seed
	slots [cacheSlots]atomic.Pointer[cached]
	next  atomic.Uint32 // which way is taken next
	keys  sync.Pool     // *[]byte
}

type cached struct {
	key      string
	decision Decision
}

func newCache(key *compile.Key) *cache {
	return &cache{key: key, seed: maphash.MakeSeed(), keys: sync.Pool{New: func() any {
		b := make([]byte, 0, 256)
		return &b
	}}}
}

// decide returns the decision for an input, by fn if it is not known.
func (c *cache) decide(_ context.Context, in *Input, fn func() (Decision, error)) (Decision, error) {
	buffer := c.keys.Get().(*[]byte)
	defer c.keys.Put(buffer)
	key, ok := c.key.Append((*buffer)[:0], in, maxKeySize)
	if !ok {
		return fn()
	}
	*buffer = key
	at := maphash.Bytes(c.seed, key) % (cacheSlots / cacheWays) * cacheWays
	for i := range uint64(cacheWays) {
		if found := c.slots[at+i].Load(); found != nil && found.key == string(key) {
			d := found.decision
			d.Cached = true
			return d, nil
		}
	}
	d, err := fn()
	if err == nil {
		c.put(at, &cached{string(key), d})
	}
	return d, err
}

func (c *cache) put(at uint64, entry *cached) {
	for i := range uint64(cacheWays) {
		if c.slots[at+i].CompareAndSwap(nil, entry) {
			return
		}
	}
	c.slots[at+uint64(c.next.Add(1)%cacheWays)].Store(entry)
}
