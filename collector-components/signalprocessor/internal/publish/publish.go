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
	"slices"
	"sync"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/coord/signal"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	// Interval is how often verdicts are looked at and shares written.
	Interval = 250 * time.Millisecond

	leaseTTL   = 10 * time.Second
	renewEvery = leaseTTL / 4
	timeout    = time.Second

	// PutsPerSecond bounds what one collector writes: with three of them etcd takes fewer
	// than 1,000 puts a second.
	PutsPerSecond = 300

	// BytesPerSecond does too: fewer than 2 MB a second.
	BytesPerSecond = 540_000

	// maxOperations is etcd's limit of a transaction, with room.
	maxOperations = 100

	// atATime is how many services are looked at before the lock is let go: measurements
	// that come in meanwhile wait for a fraction of a millisecond.
	atATime = 32
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
	Store     Store
	Prefix    string // of the namespace
	Collector string
	Aggregate *aggregate.Aggregate
	Lock      *sync.Mutex
	Now       func() time.Duration
	Stats     Stats
	Log       *zap.Logger
	Each      func() // called in each round, before the lock is taken; nil: nothing

	puts, bytes bucket
	lease       clientv3.LeaseID
	renewed     time.Duration
	away        bool           // reported
	waiting     aggregate.Work // the first that had to wait in the last round
}

// Run publishes until the context ends, and then takes its shares away.
func (p *Publisher) Run(ctx context.Context) {
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
	if p.Each != nil {
		p.Each()
	}
	pending := p.fair(p.look())
	if err := p.keep(ctx, len(pending) > 0); err != nil {
		return err
	}
	p.puts.perSecond, p.bytes.perSecond = PutsPerSecond, BytesPerSecond
	p.waiting = aggregate.Work{}
	for i, w := range pending {
		if now := p.Now(); !p.puts.ready(now) || !p.bytes.ready(now) {
			p.waiting = w
			p.Stats.Throttled(len(pending) - i)
			return nil
		}
		if err := p.write(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// look looks at all services, some at a time, and returns what is to be written.
func (p *Publisher) look() []aggregate.Work {
	p.Lock.Lock()
	services := p.Aggregate.Services()
	p.Lock.Unlock()
	for some := range slices.Chunk(services, atATime) {
		p.Lock.Lock()
		p.Aggregate.LookAt(p.Now(), some)
		p.Lock.Unlock()
	}
	p.Lock.Lock()
	defer p.Lock.Unlock()
	return p.Aggregate.Pending()
}

// fair begins what is not urgent with the share that had to wait in the last round, so
// that none waits for ever behind others.
func (p *Publisher) fair(pending []aggregate.Work) []aggregate.Work {
	first := slices.IndexFunc(pending, func(w aggregate.Work) bool { return !w.Urgent })
	if first < 0 || p.waiting.Service == "" {
		return pending
	}
	rest := pending[first:]
	at := slices.IndexFunc(rest, func(w aggregate.Work) bool { return w.Service >= p.waiting.Service })
	if at <= 0 {
		return pending
	}
	return slices.Concat(pending[:first], rest[at:], rest[:at])
}

// keep renews the lease, or takes one when it is needed.
func (p *Publisher) keep(ctx context.Context, needed bool) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch {
	case p.lease == clientv3.NoLease && needed:
		lease, err := p.Store.Grant(ctx, leaseTTL)
		if err != nil {
			return fmt.Errorf("lease: %w", err)
		}
		p.lease, p.renewed = lease, p.Now()
	case p.lease != clientv3.NoLease && p.Now()-p.renewed >= renewEvery:
		if err := p.Store.Renew(ctx, p.lease); err != nil {
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
	key := p.Prefix + signal.Key(w.Service, w.Shard, w.Shards, p.Collector)
	size := 0
	op := clientv3.OpDelete(key)
	if len(share.Instances)+len(share.Scopes) > 0 {
		value := signal.Encode(share)
		if len(value) > signal.MaxShareBytes {
			p.Lock.Lock()
			spread := p.Aggregate.TooLarge(w, stale)
			p.Lock.Unlock()
			if spread {
				return nil // its instances are pending in shares of their own
			}
			if value = signal.Encode(withoutLatency(share)); len(value) > signal.MaxShareBytes {
				share.Scopes = share.Scopes[:min(1, len(share.Scopes))] // no verdict on an instance gives way to one on a route
				value = signal.Encode(share)
			}
		}
		size = len(value)
		op = clientv3.OpPut(key, string(value), clientv3.WithLease(p.lease))
	}
	p.puts.spend(1)
	p.bytes.spend(len(key) + size)
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

// withoutLatency leaves the histograms out of a share that cannot be spread any more:
// counts and verdicts fit whatever the callers say.
func withoutLatency(share *signal.Share) *signal.Share {
	for i := range share.Instances {
		for j := range share.Instances[i].Windows {
			share.Instances[i].Windows[j].Latency = signal.Histogram{}
		}
	}
	return share
}

// deleteLayout deletes the shares of a former number of shards.
func (p *Publisher) deleteLayout(ctx context.Context, service string, shards uint32) error {
	var ops []clientv3.Op
	for i := range shards {
		ops = append(ops, clientv3.OpDelete(p.Prefix+signal.Key(service, i, shards, p.Collector)))
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
	return p.Store.Commit(ctx, ops...)
}

// leave revokes the lease, so that readers do not count a collector that is gone.
func (p *Publisher) leave() {
	if p.lease == clientv3.NoLease {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := p.Store.Revoke(ctx, p.lease); err != nil {
		p.Log.Debug("signals stay until their lease ends", zap.Error(err))
	}
}
