// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"crypto/rand"
	"fmt"
)

// maxKeys bounds the keys that are kept for another time.
const maxKeys = 1024

// keys are those of places that were given up in good order, by lock and kind: their next
// places take them. etcd keeps every key that ever was until it compacts, and a look
// at the queue passes over all of them; with a new key for each place a lock that is
// taken 2,000 times a second gets slower from second to second.
//
// That a key is used again takes nothing from the token, which is the revision that
// created it, nor from places that exclude each other: no two have a key at once.
type keys struct {
	free  map[string][]string
	count int
}

// takeKey returns a key for a place that no other place has, now or later.
func (l *etcdLocker) takeKey(q *place) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := q.prefix + q.rule.mark()
	if free := l.keys.free[kind]; l.current == q.session && len(free) > 0 {
		key := free[len(free)-1]
		if l.keys.free[kind] = free[:len(free)-1]; len(free) == 1 {
			delete(l.keys.free, kind)
		}
		l.keys.count--
		return key
	}
	return fmt.Sprintf("%s%016x-%s", kind, int64(q.session.lease), rand.Text())
}

// giveKey takes back the key of a place that etcd said is gone.
func (l *etcdLocker) giveKey(q *place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != q.session || l.keys.count >= maxKeys {
		return
	}
	if l.keys.free == nil {
		l.keys.free = make(map[string][]string)
	}
	kind := q.prefix + q.rule.mark()
	l.keys.free[kind] = append(l.keys.free[kind], q.key)
	l.keys.count++
}
