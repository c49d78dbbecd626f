// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/endpoint"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/publish"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/series"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"go.uber.org/zap"
)

// engine is an aggregate and its publisher, shared by all instances of the processor with
// one configuration, until the last gave it back.
type engine struct {
	started   time.Time
	cancel    context.CancelFunc
	done      sync.WaitGroup
	directory discovery.Directory
	clients   []*coord.Client

	index      atomic.Pointer[endpoint.Index]
	instances  atomic.Int64
	seriesKept atomic.Int64

	mu        sync.Mutex
	aggregate *aggregate.Aggregate
	announced *endpoint.Index // that the aggregate has

	seriesMu sync.Mutex
	series   *series.Table
	seed     maphash.Seed
	swept    time.Duration
}

// newEngine opens etcd, without waiting for it, and starts publishing.
func newEngine(ctx context.Context, cfg *Config, log *zap.Logger, tel *telemetry) (*engine, error) {
	e := &engine{
		started: time.Now(), aggregate: aggregate.New(cfg.EjectionBase, cfg.MaxInstances),
		series: series.New(cfg.MaxSeries), seed: maphash.MakeSeed(),
	}
	e.aggregate.LimitUnannounced(cfg.MaxUnannounced)
	signals, err := e.open(ctx, cfg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("signal: %w", err), e.close())
	}
	name := cfg.Collector
	if name == "" {
		name = collectorName()
	}
	p := &publish.Publisher{
		Store: publish.Etcd(signals), Prefix: signals.Prefix(), Collector: name, Aggregate: e.aggregate, Lock: &e.mu,
		Now: e.now, Stats: tel.stats(), Log: log, Each: e.each,
	}
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	e.cancel = cancel
	e.done.Go(func() { p.Run(run) })
	e.done.Go(func() { e.follow(run) })
	return e, nil
}

// open opens the client of signals, which may be of an etcd of its own, and the directory.
func (e *engine) open(ctx context.Context, cfg *Config) (signals *coord.Client, err error) {
	main, err := cfg.Etcd.Open(ctx, slog.Default())
	if err != nil {
		return nil, err
	}
	e.clients = append(e.clients, main)
	signals = main
	if endpoints := coord.SignalEndpoints(); len(endpoints) > 0 {
		if signals, err = cfg.Etcd.Open(ctx, slog.Default(), coord.WithEndpoints(endpoints...)); err != nil {
			return nil, err
		}
		e.clients = append(e.clients, signals)
	}
	e.directory, err = discovery.Etcd(main).Directory(ctx)
	return signals, err
}

// follow keeps the index of addresses current, a second behind at most.
func (e *engine) follow(ctx context.Context) {
	for range e.directory.Updates(ctx) {
		e.index.Store(endpoint.New(e.directory))
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// each is called before each round of the publisher.
func (e *engine) each() {
	if x := e.index.Load(); x != e.announced {
		e.announced = x
		e.mu.Lock()
		e.aggregate.Announce(x)
		e.mu.Unlock()
	}
	if now := e.now(); now-e.swept >= 10*time.Second {
		e.swept = now
		e.seriesMu.Lock()
		e.series.Look(now)
		e.seriesKept.Store(int64(e.series.Len()))
		e.seriesMu.Unlock()
	}
}

// Close ends publishing, and takes this collector's shares away.
func (e *engine) Close() error {
	e.cancel()
	e.done.Wait()
	return e.close()
}

func (e *engine) close() error {
	var errs []error
	if e.directory != nil {
		errs = append(errs, e.directory.Close())
	}
	for _, c := range e.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// collectorName is unique: two collectors with one name would overwrite each
// other's shares.
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

func (e *engine) now() time.Duration { return time.Since(e.started) }

// take records a batch.
func (e *engine) take(b *batch) {
	if len(b.attempts)+len(b.calls)+len(b.ejected)+len(b.reports)+len(b.heard) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.aggregate
	b.now = e.now() // within the lock it never goes back
	for i := range b.attempts {
		at := &b.attempts[i]
		at.measurement.Buckets = b.buckets[at.first:at.last]
		b.counts[at.measurement.Source][became(a.Record(b.now, at.caller, at.target, &at.measurement))]++
	}
	for i := range b.calls {
		b.counts[fromSpans][became(a.RecordSpan(b.now, &b.calls[i]))]++
	}
	for i := range b.ejected {
		b.counts[fromRouter][became(a.Eject(b.now, b.ejected[i].caller, b.ejected[i].target))]++
	}
	for i := range b.heard {
		a.Heard(b.now, b.heard[i].caller, b.heard[i].service, &b.heard[i].measurement)
	}
	for i := range b.reports {
		r := &b.reports[i]
		target := aggregate.Target{Service: r.service, Instance: r.instance}
		b.counts[fromServer][became(a.Serve(b.now, r.caller, target, r.source, r.capacity))] += r.points
	}
	e.instances.Store(int64(a.Instances()))
}

// became is the reason of an aggregate's error.
func became(err error) reason {
	switch {
	case err == nil:
		return taken
	case errors.Is(err, aggregate.ErrUnannounced):
		return unannounced
	case errors.Is(err, aggregate.ErrPreferred):
		return preferred
	case errors.Is(err, aggregate.ErrRoutes):
		return routes
	}
	return full
}
