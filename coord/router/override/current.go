// SPDX-License-Identifier: Apache-2.0

package override

import (
	"maps"
	"slices"
)

// Current are the overrides of one service that hold. It is immutable, and nil is none.
type Current struct {
	ejected  map[string]*Override // by instance
	breakers map[string]*Override // by route
}

// newCurrent returns nil for none.
func newCurrent(list []*Override) *Current {
	if len(list) == 0 {
		return nil
	}
	c := &Current{ejected: make(map[string]*Override), breakers: make(map[string]*Override)}
	for _, o := range list {
		if o.Kind == Eject {
			c.ejected[o.Instance] = o
		} else {
			c.breakers[o.Route] = o
		}
	}
	return c
}

// Ejected returns the override that keeps an instance out, nil for none.
func (c *Current) Ejected(instance string) *Override {
	if c == nil {
		return nil
	}
	return c.ejected[instance]
}

// Breaker returns what the breaker of a route is forced to, the route's own override before
// the service's; nil for none. Route "" is the service.
func (c *Current) Breaker(route string) *Override {
	if c == nil {
		return nil
	}
	if o := c.breakers[route]; o != nil {
		return o
	}
	return c.breakers[""]
}

// All returns all, ascending by target.
func (c *Current) All() []*Override {
	if c == nil {
		return nil
	}
	var list []*Override
	for _, of := range []map[string]*Override{c.breakers, c.ejected} {
		for _, name := range slices.Sorted(maps.Keys(of)) {
			list = append(list, of[name])
		}
	}
	return list
}

// same reports whether both are of the same writes.
func (c *Current) same(d *Current) bool {
	if c == nil || d == nil {
		return c == d
	}
	return maps.Equal(c.ejected, d.ejected) && maps.Equal(c.breakers, d.breakers)
}

// has reports whether an override is one of these.
func (c *Current) has(o *Override) bool {
	if c == nil {
		return false
	}
	if o.Kind == Eject {
		return c.ejected[o.Instance] == o
	}
	return c.breakers[o.Route] == o
}
