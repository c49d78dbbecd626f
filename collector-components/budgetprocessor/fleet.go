// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/slice"
	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/collector-components/internal/shared"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/mirror"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

const (
	// leaseMargin is what of the configured lease is left for etcd to notice its end,
	// and for the others to see it and take over.
	leaseMargin = 3 * time.Second

	// roundEvery is how often a collector looks at the shares when none has changed.
	roundEvery = time.Second

	// aloneAfter is how long one that starts waits for etcd, or to be able to write.
	aloneAfter = 5 * time.Second

	// writeEvery is how often a collector writes its share at most.
	writeEvery   = 500 * time.Millisecond
	writeTimeout = time.Second

	// staleAfter is the age of the shares from which nothing is decided by them.
	staleAfter = 15 * time.Second

	// spoken is the part of a budget from which its demand is told to the fleet.
	spoken = 0.05
)

// fleet shares the ledger's budgets with those of other collectors: a key under a
// lease for each, and a mirror of all of them.
type fleet struct {
	ledger *ledger
	cfg    FleetConfig
	client *coord.Client
	mirror *mirror.Mirror[slice.Share]
	member *slice.Member
	name   string // of this collector
	key    string
	ttl    int64 // seconds
	parts  shared.Closers

	lease   clientv3.LeaseID
	renewed time.Duration
	wrote   time.Duration
	pending *slice.Share // to be written
	heard   bool         // a share was written
	away    bool         // reported
}

// openFleet follows the shares. It does not wait for etcd.
func openFleet(ctx context.Context, l *ledger, live *document.Live[Budgets]) (*fleet, error) {
	cfg := l.cfg.Fleet.filled()
	f := &fleet{ledger: l, cfg: cfg, name: cfg.Collector, ttl: int64((cfg.Lease - leaseMargin) / time.Second)}
	if f.name == "" {
		f.name = collectorName()
	}
	if cfg.Etcd != nil {
		client, err := cfg.Etcd.Open(ctx, slog.Default())
		if err != nil {
			return nil, err
		}
		f.client, f.parts = client, shared.Closers{client}
	} else {
		f.client = live.Client()
	}
	prefix := "budget/" + cfg.Name + "/"
	m, err := mirror.Open(ctx, f.client, prefix, func(_ string, value []byte) (slice.Share, error) { return slice.Decode(value) })
	if err != nil {
		return nil, errors.Join(err, f.parts.Close())
	}
	f.mirror, f.parts = m, append(shared.Closers{m}, f.parts...)
	f.member = slice.New(f.name, cfg.Collectors)
	f.key = f.client.Prefix() + prefix + f.name
	l.used.Store(f.member.Used())
	return f, nil
}

// collectorName is unique: two collectors with one name would take each other's share
// for their own.
func collectorName() string {
	host, _ := os.Hostname() // for people; the rest makes it unique
	host = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, host)
	return strings.ToLower("c" + rand.Text()[:10] + "-" + host[:min(len(host), 40)])
}

// Close implements io.Closer. run has ended.
func (f *fleet) Close() error { return f.parts.Close() }

// run takes part in the fleet until the context ends, and then leaves it.
func (f *fleet) run(ctx context.Context) {
	tick := time.NewTicker(roundEvery)
	defer tick.Stop()
	changed := f.mirror.Updates(ctx)
	for {
		select {
		case <-ctx.Done():
			f.leave()
			return
		case <-tick.C:
		case <-changed:
		}
		err := f.round(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if !f.away {
				f.ledger.log.Warn("the share of the budgets is not written; this collector keeps its part", zap.Error(err))
			}
			f.away = true
		case f.away:
			f.ledger.log.Info("the share of the budgets is written again")
			f.away = false
		}
	}
}

// round computes what this collector may use from the shares of all.
func (f *fleet) round(ctx context.Context) error {
	now := f.ledger.now()
	if f.mirror.Revision() == 0 { // never seen
		if now >= aloneAfter {
			f.member.Alone()
			f.ledger.used.Store(f.member.Used())
		}
		return nil
	}
	if f.mirror.Age() > staleAfter {
		return errAway
	}
	if f.pending != nil { // what was decided is not known to the others yet
		err := f.publish(ctx)
		if !f.heard && now >= aloneAfter {
			f.member.Unheard(f.view())
			f.ledger.used.Store(f.member.Used())
		}
		return err
	}
	share, changed := f.member.Round(f.view(), f.ledger.demand())
	f.ledger.used.Store(f.member.Used())
	f.ledger.tel.ProcessorBudgetCollectors.Record(ctx, int64(f.member.Size()))
	if changed {
		f.pending = &share
	}
	return f.publish(ctx)
}

// view returns the shares of all, as last seen.
func (f *fleet) view() map[string]slice.Share {
	view := make(map[string]slice.Share)
	for name, share := range f.mirror.View().All() {
		view[name] = share
	}
	return view
}

var errAway = errors.New("etcd is away")

// publish keeps the lease, and writes what is pending, not too often.
func (f *fleet) publish(ctx context.Context) error {
	if err := f.keep(ctx); err != nil || f.pending == nil {
		return err
	}
	if now := f.ledger.now(); f.wrote == 0 || now-f.wrote >= writeEvery {
		f.wrote = now
		return f.write(ctx)
	}
	return nil
}

// keep renews the lease, or takes one when there is something to write.
func (f *fleet) keep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	now := f.ledger.now()
	switch {
	case f.lease == clientv3.NoLease && f.pending != nil:
		resp, err := f.client.Etcd().Grant(ctx, f.ttl)
		if err != nil {
			return fmt.Errorf("lease: %w", err)
		}
		f.lease, f.renewed = resp.ID, now
	case f.lease != clientv3.NoLease && now-f.renewed >= time.Duration(f.ttl)*time.Second/4:
		if _, err := f.client.Etcd().KeepAliveOnce(ctx, f.lease); err != nil {
			f.lost(err)
			return fmt.Errorf("lease: %w", err)
		}
		f.renewed = now
	}
	return nil
}

// lost forgets a lease that is gone. The view will show the share's end, and the next
// round publishes another.
func (f *fleet) lost(err error) {
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		f.lease = clientv3.NoLease
	}
}

// write puts what is pending.
func (f *fleet) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err := f.client.Etcd().Put(ctx, f.key, string(slice.Encode(*f.pending)), clientv3.WithLease(f.lease))
	f.ledger.tel.ProcessorBudgetSliceWrites.Add(ctx, 1, metric.WithAttributes(attribute.String("result", result(err))))
	if err != nil {
		f.lost(err)
		return fmt.Errorf("share: %w", err)
	}
	f.pending, f.heard = nil, true
	return nil
}

func result(err error) string {
	if err != nil {
		return "failed"
	}
	return "written"
}

// leave revokes the lease, so that the others have this collector's part at once.
func (f *fleet) leave() {
	if f.lease == clientv3.NoLease {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if _, err := f.client.Etcd().Revoke(ctx, f.lease); err != nil {
		f.ledger.log.Debug("the share of the budgets stays until its lease ends", zap.Error(err))
	}
}

// demand returns how much of the fleet's budgets this collector could use.
func (l *ledger) demand() map[string]float64 {
	out := make(map[string]float64)
	budgets := l.budgets.Load()
	add := func(h *holder, whole limits) {
		for k := range volumes {
			if whole.of[k] <= 0 {
				continue
			}
			rate, _, _ := h.volume[k].read(l.now())
			if part := rate / whole.of[k]; part >= spoken {
				out[h.key(k)] = part
			}
		}
	}
	accounts, tenants := l.holders()
	for _, a := range accounts {
		add(&a.holder, budgets.service(a.tenant, a.service))
	}
	for _, t := range tenants {
		add(&t.holder, budgets.tenant(t.tenant))
	}
	return out
}
