// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// DefaultTTL is how long etcd keeps the locks of a process that vanished.
	DefaultTTL = 10 * time.Second

	// MinTTL leaves a renewal three tries between margin and expiry.
	MinTTL = 4 * time.Second

	renewTimeout = time.Second
	renewRetry   = 100 * time.Millisecond
)

// margin is how long before etcd can end a lease its holder gives up: a second
// for what a stopped process takes to notice, and 5 % for clocks that run apart.
func margin(ttl time.Duration) time.Duration { return time.Second + ttl/20 }

// session is a lease that is kept alive until it is lost or closed.
type session struct {
	etcd     *clientv3.Client
	lease    clientv3.LeaseID
	delay    clientv3.LeaseID // of the delay keys; none without a delay
	ttl      time.Duration    // as granted
	started  time.Time
	deadline atomic.Int64    // since started: until when the lease is proved to live
	alive    context.Context // ends when the lease is lost or given up: the lease's lifetime
	end      context.CancelFunc
	lost     <-chan struct{} // alive's end
	epoch    coord.Epoch     // of all tokens: a lease does not outlive an epoch
}

// openSession takes a lease. The caller runs keep.
func openSession(ctx context.Context, client *coord.Client, ttl, delay time.Duration) (*session, error) {
	etcd := client.Etcd()
	meta, err := etcd.Get(ctx, client.Key("meta", "epoch"))
	if err != nil {
		return nil, fmt.Errorf("lock: epoch: %w", err)
	}
	value := ""
	if len(meta.Kvs) > 0 {
		value = string(meta.Kvs[0].Value)
	}
	var delayed clientv3.LeaseID
	if delay > 0 {
		grant, err := etcd.Grant(ctx, int64(math.Ceil((ttl + delay).Seconds())))
		if err != nil {
			return nil, fmt.Errorf("lock: lease: %w", err)
		}
		delayed = grant.ID
	}
	asked := time.Now()
	resp, err := etcd.Grant(ctx, int64(ttl/time.Second))
	if err != nil {
		return nil, fmt.Errorf("lock: lease: %w", err)
	}
	s := &session{
		etcd: etcd, lease: resp.ID, delay: delayed, ttl: time.Duration(resp.TTL) * time.Second,
		started: asked, epoch: coord.NewEpoch(meta.Header.ClusterId, value),
	}
	s.alive, s.end = context.WithCancel(context.Background())
	s.lost = s.alive.Done()
	s.renewed(asked)
	return s, nil
}

// renewed moves the deadline to what a renewal sent at that time proves.
func (s *session) renewed(sent time.Time) {
	s.deadline.Store(int64(sent.Add(s.ttl - margin(s.ttl)).Sub(s.started)))
}

// valid reports whether the lease is proved to live now.
func (s *session) valid() bool {
	return time.Since(s.started) < time.Duration(s.deadline.Load())
}

// keep renews the lease until it is lost, or the context ends.
func (s *session) keep(ctx context.Context) {
	defer s.end()
	expiry := time.NewTimer(s.left())
	defer expiry.Stop()
	next := time.NewTimer(s.ttl / 3)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-expiry.C:
			if !s.valid() {
				return
			}
			expiry.Reset(s.left())
			continue
		case <-next.C:
		}
		sent := time.Now()
		try, cancel := context.WithTimeout(ctx, min(renewTimeout, s.left()))
		resp, err := s.etcd.KeepAliveOnce(try, s.lease)
		cancel()
		switch {
		case err == nil && s.valid():
			s.ttl = time.Duration(resp.TTL) * time.Second
			s.renewed(sent)
			expiry.Reset(s.left())
			next.Reset(s.ttl / 3)
			s.renewDelay(ctx)
		case err == nil, errors.Is(err, rpctypes.ErrLeaseNotFound):
			return // too late: the deadline passed meanwhile, and lost is lost
		default:
			next.Reset(renewRetry)
		}
	}
}

// renewDelay renews the lease of the delay keys. One that was missed is made up for by the
// next; a lease that is gone shortens a delay, and no lock depends on it.
func (s *session) renewDelay(ctx context.Context) {
	if s.delay == clientv3.NoLease {
		return
	}
	try, cancel := context.WithTimeout(ctx, min(renewTimeout, s.left()))
	defer cancel()
	_, _ = s.etcd.KeepAliveOnce(try, s.delay)
}

// left returns the time to the deadline, never negative.
func (s *session) left() time.Duration {
	return max(time.Duration(s.deadline.Load())-time.Since(s.started), 0)
}
