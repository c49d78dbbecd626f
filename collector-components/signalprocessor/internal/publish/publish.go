// SPDX-License-Identifier: Apache-2.0

// Package publish writes what a collector knows to etcd: verdicts first, from a
// bucket of puts, under a lease that the loop which aggregates renews itself. A
// loop that is stuck, or cannot reach etcd, therefore loses its shares, and readers
// go on with those of other collectors and with what they know themselves.
package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/signal"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

const (
	// Interval is how often verdicts are looked at and shares written.
	Interval = 250 * time.Millisecond

	leaseTTL   = 10 * time.Second
	renewEvery = leaseTTL / 4
	timeout    = time.Second

	// PutsPerSecond bounds what one collector writes.
	PutsPerSecond = 300

	// maxOperations is etcd's limit of a transaction, with room.
	maxOperations = 100
)

// Stats are what a publisher tells of itself. All are called from one goroutine.
type Stats struct {
	Put       func(bytes int)
	Deleted   func(n int)
	Throttled func(n int) // shares that wait for the bucket
	Failed    func(err error)
}

// Publisher writes an aggregate to etcd. Lock guards the aggregate; it is never
// held while etcd is asked.
type Publisher struct {
	Client    *coord.Client
	Collector string
	Aggregate *aggregate.Aggregate
	Lock      *sync.Mutex
	Now       func() time.Duration
	Stats     Stats
	Log       *zap.Logger

	bucket  *rate.Limiter
	lease   clientv3.LeaseID
	renewed time.Duration
	away    bool // reported
}

// Run publishes until the context ends, and then takes its shares away.
func (p *Publisher) Run(ctx context.Context) {
	p.bucket = rate.NewLimiter(PutsPerSecond, PutsPerSecond)
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			p.leave()
			return
		case <-tick.C:
		}
		err := p.round(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			p.Stats.Failed(err)
			if !p.away {
				p.Log.Warn("signals are not published; the pipeline goes on", zap.Error(err))
			}
			p.away = true
		case err == nil && p.away:
			p.Log.Info("signals are published again")
			p.away = false
		}
	}
}

// round looks at all verdicts and writes what is pending.
func (p *Publisher) round(ctx context.Context) error {
	p.Lock.Lock()
	p.Aggregate.Look(p.Now())
	pending := p.Aggregate.Pending()
	p.Lock.Unlock()
	if err := p.keep(ctx, len(pending) > 0); err != nil {
		return err
	}
	for i, w := range pending {
		if !p.bucket.Allow() {
			p.Stats.Throttled(len(pending) - i)
			return nil
		}
		if err := p.write(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// keep renews the lease, or takes one when it is needed.
func (p *Publisher) keep(ctx context.Context, needed bool) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	etcd := p.Client.Etcd()
	switch {
	case p.lease == clientv3.NoLease && needed:
		resp, err := etcd.Grant(ctx, int64(leaseTTL/time.Second))
		if err != nil {
			return fmt.Errorf("lease: %w", err)
		}
		p.lease, p.renewed = resp.ID, p.Now()
	case p.lease != clientv3.NoLease && p.Now()-p.renewed >= renewEvery:
		if _, err := etcd.KeepAliveOnce(ctx, p.lease); err != nil {
			p.lost(err)
			return fmt.Errorf("lease: %w", err)
		}
		p.renewed = p.Now()
	}
	return nil
}

// lost forgets a lease that is gone: everything is written again under the next.
func (p *Publisher) lost(err error) {
	if !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return
	}
	p.lease = clientv3.NoLease
	p.Lock.Lock()
	p.Aggregate.Rewrite()
	p.Lock.Unlock()
}

// write puts one share, or deletes it when it holds nothing any more, and deletes
// those of a former layout.
func (p *Publisher) write(ctx context.Context, w aggregate.Work) error {
	p.Lock.Lock()
	share, stale := p.Aggregate.Share(p.Now(), w)
	p.Lock.Unlock()
	if share == nil {
		return nil
	}
	share.Collector = p.Collector
	key := p.Client.Prefix() + signal.Key(w.Service, w.Shard, w.Shards, p.Collector)
	size := 0
	op := clientv3.OpDelete(key)
	if len(share.Instances) > 0 {
		value := signal.Encode(share)
		size = len(value)
		op = clientv3.OpPut(key, string(value), clientv3.WithLease(p.lease))
	}
	err := p.commit(ctx, []clientv3.Op{op})
	if err == nil {
		err = p.deleteLayout(ctx, w.Service, stale)
	}
	if err != nil {
		p.Lock.Lock()
		p.Aggregate.Failed(w, stale)
		p.Lock.Unlock()
		p.lost(err)
		return fmt.Errorf("share of %s: %w", w.Service, err)
	}
	if size > 0 {
		p.Stats.Put(size)
	} else {
		p.Stats.Deleted(1)
	}
	return nil
}

// deleteLayout deletes the shares of a former number of shards.
func (p *Publisher) deleteLayout(ctx context.Context, service string, shards uint32) error {
	var ops []clientv3.Op
	for i := range shards {
		ops = append(ops, clientv3.OpDelete(p.Client.Key()+signal.Key(service, i, shards, p.Collector)))
		if len(ops) == maxOperations || i == shards-1 {
			if err := p.commit(ctx, ops); err != nil {
				return err
			}
			p.Stats.Deleted(len(ops))
			ops = ops[:0]
		}
	}
	return nil
}

func (p *Publisher) commit(ctx context.Context, ops []clientv3.Op) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := p.Client.Etcd().Txn(ctx).Then(ops...).Commit()
	return err
}

// leave revokes the lease, so that readers do not count a collector that is gone.
func (p *Publisher) leave() {
	if p.lease == clientv3.NoLease {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if _, err := p.Client.Etcd().Revoke(ctx, p.lease); err != nil {
		p.Log.Debug("signals stay until their lease ends", zap.Error(err))
	}
}
