// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// maxKeysOfLease bounds what etcd deletes at once when a lease ends.
	maxKeysOfLease = 1000

	// maxLeases bounds the TTLs whose leases are kept for the next write.
	maxLeases = 256
)

// leases shares a lease among the keys that are written with one TTL within a slack. It
// lives for the TTL and the slack, so that the last of them has its TTL too: a key
// vanishes up to a slack late, and a thousand writes cost one grant.
type leases struct {
	etcd *clientv3.Client

	mu    sync.Mutex
	byTTL map[int64]*lease
}

// lease is one that is granted, or is about to be when done is closed.
type lease struct {
	done  chan struct{}
	id    clientv3.LeaseID
	err   error
	asked time.Time // before it is granted
	keys  int
}

// slack is how late a key with a TTL, in seconds, may vanish.
func slack(ttl int64) int64 { return min(max(ttl/4, 1), 30) }

// seconds is the TTL as etcd counts it.
func seconds(ttl time.Duration) int64 { return int64(math.Ceil(ttl.Seconds())) }

// get returns a lease for a number of keys that outlives the TTL, in seconds.
func (l *leases) get(ctx context.Context, ttl int64, keys int) (*lease, error) {
	for {
		one, mine := l.find(ttl, keys)
		if mine {
			resp, err := l.etcd.Grant(ctx, ttl+slack(ttl))
			if one.err = err; err == nil {
				one.id = resp.ID
			} else {
				l.drop(ttl, one)
			}
			close(one.done)
		}
		select {
		case <-one.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("kv: lease: %w", ctx.Err())
		}
		if one.err == nil || mine {
			return one, one.err
		}
		// Another's grant failed, perhaps because its context ended: do it oneself.
	}
}

// find returns a lease that is young enough and has room, and whether the caller has to
// have it granted.
func (l *leases) find(ttl int64, keys int) (one *lease, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	young := func(ttl int64, one *lease) bool {
		return now.Sub(one.asked) < time.Duration(slack(ttl))*time.Second
	}
	if one := l.byTTL[ttl]; one != nil && young(ttl, one) && one.keys+keys <= maxKeysOfLease {
		one.keys += keys
		return one, false
	}
	if l.byTTL == nil {
		l.byTTL = make(map[int64]*lease)
	}
	for ttl, old := range l.byTTL {
		if !young(ttl, old) {
			delete(l.byTTL, ttl)
		}
	}
	one = &lease{done: make(chan struct{}), asked: now, keys: keys}
	if len(l.byTTL) < maxLeases {
		l.byTTL[ttl] = one
	}
	return one, true
}

// drop forgets a lease: it was not granted, or etcd does not know it any more.
func (l *leases) drop(ttl int64, one *lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byTTL[ttl] == one {
		delete(l.byTTL, ttl)
	}
}
