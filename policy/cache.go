// SPDX-License-Identifier: Apache-2.0

package policy

import (
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

	lookups sync.Pool
}

type cached struct {
	key      string
	decision Decision
}

func newCache(key *compile.Key) *cache {
	return &cache{key: key, seed: maphash.MakeSeed(), lookups: sync.Pool{New: func() any { return &lookup{} }}}
}

// lookup is what a look into the cache needs besides: it is used again.
type lookup struct {
	key []byte
	in  Input
}

// find copies the decision for an input, if it is known. If not, it returns the key and
// the place to put it at; no key for an input that has none.
func (c *cache) find(in *Input, d *Decision) (key string, at uint64) {
	l := c.lookups.Get().(*lookup)
	defer func() {
		l.in = Input{}
		c.lookups.Put(l)
	}()
	l.in = *in
	var ok bool
	if l.key, ok = c.key.Append(l.key[:0], &l.in, maxKeySize); !ok {
		return "", 0
	}
	at = maphash.Bytes(c.seed, l.key) % (cacheSlots / cacheWays) * cacheWays
	for i := range uint64(cacheWays) {
		if found := c.slots[at+i].Load(); found != nil && found.key == string(l.key) {
			*d = found.decision
			d.Cached = true
			return "", 0
		}
	}
	return string(l.key), at
}

func (c *cache) put(at uint64, entry *cached) {
	for i := range uint64(cacheWays) {
		if c.slots[at+i].CompareAndSwap(nil, entry) {
			return
		}
	}
	c.slots[at+uint64(c.next.Add(1)%cacheWays)].Store(entry)
}
