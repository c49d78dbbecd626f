// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/mirror"
)

// maxCopies bounds the prefixes that a store keeps copies of.
const maxCopies = 64

// copies are the mirrors that reads of an age are answered from, by prefix. They are
// opened by the first of those reads.
type copies struct {
	prefixes []string // what may be copied, as the options say
	mirrors  map[string]*mirror.Mirror[[]byte]
}

// raw is the decoder of the user's bytes.
func raw(_ string, value []byte) ([]byte, error) { return value, nil }

// near returns a view of the copy that a key or prefix is in, and the prefix that it is
// a copy of; false when there is none that is young enough.
func (e *etcd) near(key string, s Staleness) (mirror.View[[]byte], string, bool) {
	if s == Current {
		return mirror.View[[]byte]{}, "", false
	}
	at := slices.IndexFunc(e.copies.prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
	if at < 0 {
		return mirror.View[[]byte]{}, "", false
	}
	prefix := e.copies.prefixes[at]
	m := e.copy(prefix)
	if m == nil || m.Revision() == 0 || s != AnyAge && m.Age() > time.Duration(s) {
		return mirror.View[[]byte]{}, "", false
	}
	return m.View(), prefix, true
}

// copy returns the mirror of a prefix, nil after Close. Opening starts it and does not
// wait.
func (e *etcd) copy(prefix string) *mirror.Mirror[[]byte] {
	e.mu.RLock()
	m := e.copies.mirrors[prefix]
	e.mu.RUnlock()
	if m != nil {
		return m
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if m := e.copies.mirrors[prefix]; m != nil || e.closing.Err() != nil {
		return m
	}
	m, err := mirror.Open(e.closing, e.client, root+prefix, raw)
	if err != nil {
		return nil // the prefix was checked, and the context has not ended: it cannot be
	}
	if e.copies.mirrors == nil {
		e.copies.mirrors = make(map[string]*mirror.Mirror[[]byte])
	}
	e.copies.mirrors[prefix] = m
	return m
}

// getFrom reads a key from a copy.
func getFrom(v mirror.View[[]byte], prefix, key string) (Entry, error) {
	value, ok := v.Get(key[len(prefix):])
	if !ok {
		return Entry{}, fmt.Errorf("%w: %q", ErrNotFound, key)
	}
	return Entry{Key: key, Value: bytes.Clone(value), Revision: v.ModRevision(key[len(prefix):])}, nil
}

// listFrom reads a page from a copy. It passes over the whole of it.
func listFrom(v mirror.View[[]byte], prefix string, q Query) Page {
	var keys []string
	for rest := range v.All() {
		if key := prefix + rest; strings.HasPrefix(key, q.Prefix) && (q.After == "" || key > q.After) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	p := Page{Revision: v.Revision(), More: len(keys) > q.Limit}
	for _, key := range keys[:min(len(keys), q.Limit)] {
		if e, err := getFrom(v, prefix, key); err == nil {
			p.Entries = append(p.Entries, e)
		}
	}
	return p
}

// EtcdOption configures [Etcd] and [Open].
type EtcdOption func(*etcd)

// WithCopy keeps a copy of the keys under a prefix in this process, from the first read
// with [MaxAge] or [Local] on: such reads need no request then, and go on while etcd is
// away. The prefix is "" for all keys or ends with a slash; the copy takes the memory of
// all that is under it. It panics on other prefixes and on more than 64.
func WithCopy(prefix string) EtcdOption {
	if prefix != "" && (!strings.HasSuffix(prefix, "/") || CheckKey(strings.TrimSuffix(prefix, "/")) != nil) {
		panic(fmt.Sprintf("kv: copy of %q: want a prefix that ends with a slash", prefix))
	}
	return func(e *etcd) {
		if len(e.copies.prefixes) == maxCopies {
			panic(fmt.Sprintf("kv: more than %d copies", maxCopies))
		}
		e.copies.prefixes = append(e.copies.prefixes, prefix)
	}
}

// newEtcd returns the backend.
func newEtcd(c *coord.Client, opts []EtcdOption) *etcd {
	closing, end := context.WithCancel(context.Background()) // ends with Close
	e := &etcd{client: c, closing: closing, end: end, leases: leases{etcd: c.Etcd()}}
	for _, o := range opts {
		o(e)
	}
	return e
}
