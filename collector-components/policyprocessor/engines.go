// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"errors"
	"io"
	"sync"

	"github.com/otelplat/platform/policy"
)

// engines are those of this process, by the configuration of their source. The
// claims and enforce processors of three pipelines are six instances; with one
// bundle they share one engine, one watch and one connection.
var engines = pool{open: openEngine}

// pool hands out engines and closes each with its last user.
type pool struct {
	open func(source) (*policy.Engine, io.Closer, error)

	mu   sync.Mutex
	used map[string]*shared
}

// shared is an engine with the number of those who use it.
type shared struct {
	engine *policy.Engine
	closer io.Closer
	users  int
}

// take returns the engine of a source and what gives it back, once.
func (p *pool) take(s source) (*policy.Engine, func() error, error) {
	key := s.key()
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.used[key]
	if found == nil {
		engine, closer, err := p.open(s)
		if err != nil {
			return nil, nil, err
		}
		found = &shared{engine: engine, closer: closer}
		if p.used == nil {
			p.used = make(map[string]*shared)
		}
		p.used[key] = found
	}
	found.users++
	return found.engine, sync.OnceValue(func() error { return p.giveBack(key) }), nil
}

func (p *pool) giveBack(key string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.used[key]
	if s.users--; s.users > 0 {
		return nil
	}
	delete(p.used, key)
	return errors.Join(s.engine.Close(), s.closer.Close())
}
