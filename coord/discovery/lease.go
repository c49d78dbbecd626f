// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/connectivity"
)

// lease is one that the registrations of a process with one TTL share: a process lives or
// it does not, whatever it serves, and etcd renews it once. It owns the goroutine that
// renews it, and takes a new one when it is lost.
type lease struct {
	key    leaseKey
	client *coord.Client
	cancel context.CancelFunc
	done   chan struct{}
	refs   int // guarded by leases.mu

	mu      sync.Mutex
	now     grant
	changed chan struct{} // closed when now changes
	gone    chan struct{} // capacity 1: somebody saw that etcd does not know it
}

// grant is a lease as etcd gave it; the zero value is none.
type grant struct {
	id  clientv3.LeaseID
	ttl time.Duration // etcd may grant more than was asked for
}

type leaseKey struct {
	etcd *clientv3.Client
	ttl  time.Duration
}

// leases are those of all clients that have registrations.
var leases = struct {
	mu sync.Mutex
	of map[leaseKey]*lease
}{of: make(map[leaseKey]*lease)}

// acquireLease returns the lease of a client's registrations; release gives it back.
func acquireLease(c *coord.Client, ttl time.Duration) *lease {
	leases.mu.Lock()
	defer leases.mu.Unlock()
	key := leaseKey{c.Etcd(), ttl}
	l := leases.of[key]
	if l == nil {
		run, cancel := context.WithCancel(context.Background()) // ends with the last release
		l = &lease{
			key: key, client: c, cancel: cancel, done: make(chan struct{}),
			changed: make(chan struct{}), gone: make(chan struct{}, 1),
		}
		leases.of[key] = l
		go l.run(run)
	}
	l.refs++
	return l
}

// release gives the lease up; the last one revokes it.
func (l *lease) release(ctx context.Context) error {
	leases.mu.Lock()
	l.refs--
	last := l.refs == 0
	if last {
		delete(leases.of, l.key)
	}
	leases.mu.Unlock()
	if !last {
		return nil
	}
	l.cancel()
	<-l.done
	if l.now.id == clientv3.NoLease {
		return nil
	}
	if _, err := l.key.etcd.Revoke(ctx, l.now.id); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return fmt.Errorf("discovery: lease: %w", err)
	}
	return nil
}

// current returns the lease as it is, and a channel that is closed when it is another.
func (l *lease) current() (grant, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now, l.changed
}

func (l *lease) set(g grant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = g
	close(l.changed)
	l.changed = make(chan struct{})
}

// lost says that etcd does not know the lease of this id.
func (l *lease) lost(id clientv3.LeaseID) {
	if now, _ := l.current(); now.id != id {
		return
	}
	select {
	case l.gone <- struct{}{}:
	default:
	}
}

// run takes a lease, renews it, and begins again when it is lost.
func (l *lease) run(ctx context.Context) {
	defer close(l.done)
	retry := minRetry
	for {
		err := l.take(ctx)
		if err == nil {
			retry = minRetry
			err = l.keep(ctx)
		}
		if ctx.Err() != nil {
			return // release revokes what there is
		}
		l.set(grant{})
		l.client.Logger().DebugContext(ctx, "discovery: taking a lease again", "error", err)
		if !pause(ctx, l.client, retry) {
			return
		}
		retry = min(2*retry, maxRetry)
	}
}

func (l *lease) take(ctx context.Context) error {
	try, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := l.key.etcd.Grant(try, int64(l.key.ttl.Seconds()))
	if err != nil {
		return err
	}
	select {
	case <-l.gone: // said of the one before
	default:
	}
	l.set(grant{resp.ID, time.Duration(resp.TTL) * time.Second})
	return nil
}

// keep renews the lease until it is lost.
func (l *lease) keep(ctx context.Context) error {
	g, _ := l.current()
	tick := time.NewTimer(g.ttl / 3)
	defer tick.Stop()
	retry := minRetry
	deadline := time.Now().Add(g.ttl)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.gone:
			return rpctypes.ErrLeaseNotFound
		case <-tick.C:
		}
		try, cancel := context.WithTimeout(ctx, min(requestTimeout, g.ttl/3))
		_, err := l.key.etcd.KeepAliveOnce(try, g.id)
		cancel()
		switch {
		case err == nil:
			deadline, retry = time.Now().Add(g.ttl), minRetry
			tick.Reset(g.ttl / 3)
		case errors.Is(err, rpctypes.ErrLeaseNotFound), time.Now().After(deadline):
			return err
		default:
			if !pause(ctx, l.client, retry) {
				return ctx.Err()
			}
			retry = min(2*retry, maxRetry)
			tick.Reset(0)
		}
	}
}

// pause waits for 0.5 to 1.5 times d, so that a fleet does not come back at once, or
// until a connection that is lost is back. It returns false when the context ended.
func pause(ctx context.Context, c *coord.Client, d time.Duration) bool {
	wait, cancel := context.WithTimeout(ctx, d/2+rand.N(d)) //nolint:gosec // spreads load, guards nothing
	defer cancel()
	conn := c.Etcd().ActiveConnection()
	for lost := false; ; {
		state := conn.GetState()
		switch {
		case state == connectivity.Idle:
			conn.Connect()
		case state == connectivity.Ready && lost:
			soon, cancel := context.WithTimeout(wait, rand.N(minRetry)) //nolint:gosec // as above
			<-soon.Done()
			cancel()
			return ctx.Err() == nil
		}
		lost = lost || state != connectivity.Ready
		if !conn.WaitForStateChange(wait, state) {
			return ctx.Err() == nil
		}
	}
}
