// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
)

// cacheSize is how many verified tokens a generation holds; there are two.
const cacheSize = 4096

// cache keeps verified tokens by their hash. It has two generations: when the
// young one is full it becomes the old one, whose content goes unless it is used
// again. Reads take no lock.
type cache struct {
	young, old atomic.Pointer[generation]
}

type generation struct {
	entries sync.Map // [sha256.Size]byte to *Principal
	n       atomic.Int64
}

func newCache() *cache {
	c := &cache{}
	c.young.Store(&generation{})
	c.old.Store(&generation{})
	return c
}

func (c *cache) get(sum [sha256.Size]byte) *Principal {
	if p, ok := c.young.Load().entries.Load(sum); ok {
		return p.(*Principal)
	}
	if p, ok := c.old.Load().entries.Load(sum); ok {
		c.put(sum, p.(*Principal))
		return p.(*Principal)
	}
	return nil
}

func (c *cache) put(sum [sha256.Size]byte, p *Principal) {
	g := c.young.Load()
	if _, there := g.entries.Swap(sum, p); there {
		return
	}
	if g.n.Add(1) == cacheSize { // exactly one caller sees this
		c.old.Store(g)
		c.young.Store(&generation{})
	}
}
