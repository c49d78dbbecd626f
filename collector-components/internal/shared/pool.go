// SPDX-License-Identifier: Apache-2.0

// Package shared lets the instances of a component, one for each pipeline that
// names it, have one state: the collector makes an instance for traces, one for
// metrics and one for logs, and what they count, watch or keep is often the same.
package shared

import (
	"errors"
	"io"
	"sync"
)

// Pool holds values by a key, each from its first user's [Pool.Take] until its last
// user gave it back. The zero value is ready. It is safe for concurrent use.
type Pool[T io.Closer] struct {
	mu   sync.Mutex
	used map[string]*entry[T]
}

type entry[T io.Closer] struct {
	value T
	users int
}

// Take returns the value of a key, opened when nobody has it, and what gives it
// back: called once or more often, it counts once, and the last user's closes the
// value. open runs while the pool is locked, and so must not wait for a network.
func (p *Pool[T]) Take(key string, open func() (T, error)) (value T, giveBack func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.used[key]
	if e == nil {
		if value, err = open(); err != nil {
			return value, nil, err
		}
		e = &entry[T]{value: value}
		if p.used == nil {
			p.used = make(map[string]*entry[T])
		}
		p.used[key] = e
	}
	e.users++
	return e.value, sync.OnceValue(func() error { return p.giveBack(key) }), nil
}

// Len returns how many values are in use.
func (p *Pool[T]) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.used)
}

// giveBack closes outside the lock: what takes long to end keeps nobody from a
// value of another key, nor from a new one of the same.
func (p *Pool[T]) giveBack(key string) error {
	p.mu.Lock()
	e := p.used[key]
	e.users--
	last := e.users == 0
	if last {
		delete(p.used, key)
	}
	p.mu.Unlock()
	if !last {
		return nil
	}
	return e.value.Close()
}

// Closers closes several, in order, and returns their errors joined.
type Closers []io.Closer

// Close implements io.Closer.
func (c Closers) Close() error {
	var errs []error
	for _, closer := range c {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}
