// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/publish"
	"github.com/otelplat/platform/coord"
	"go.opentelemetry.io/collector/processor"
)

// engine is an aggregate and its publisher, shared by all instances of the
// processor with one configuration.
type engine struct {
	key     string
	users   int
	started time.Time
	client  *coord.Client
	cancel  context.CancelFunc
	done    chan struct{}

	mu        sync.Mutex
	aggregate *aggregate.Aggregate
}

// engines are those of this process.
var engines = pool{used: make(map[string]*engine)}

// pool hands out engines and ends each with its last user.
type pool struct {
	mu   sync.Mutex
	used map[string]*engine
}

func (p *pool) take(ctx context.Context, cfg *Config, set processor.Settings, tel *telemetry) (*engine, error) {
	raw, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("signal: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.used[string(raw)]
	if e == nil {
		if e, err = newEngine(ctx, cfg, set, tel); err != nil {
			return nil, err
		}
		e.key = string(raw)
		p.used[e.key] = e
	}
	e.users++
	return e, nil
}

func (p *pool) giveBack(ctx context.Context, e *engine) error {
	p.mu.Lock()
	e.users--
	last := e.users == 0
	if last {
		delete(p.used, e.key)
	}
	p.mu.Unlock()
	if !last {
		return nil
	}
	e.cancel()
	select {
	case <-e.done:
		return e.client.Close()
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("signal: %w", ctx.Err()), e.client.Close())
	}
}

// newEngine opens etcd, without waiting for it, and starts publishing.
func newEngine(ctx context.Context, cfg *Config, set processor.Settings, tel *telemetry) (*engine, error) {
	c, err := cfg.Etcd.Open(ctx, slog.Default(), signalEndpoints()...)
	if err != nil {
		return nil, fmt.Errorf("signal: %w", err)
	}
	name := cfg.Collector
	if name == "" {
		name = collectorName()
	}
	run, cancel := context.WithCancel(context.Background()) // ends with the last user's shutdown
	e := &engine{
		started: time.Now(), client: c, cancel: cancel, done: make(chan struct{}),
		aggregate: aggregate.New(cfg.EjectionBase, cfg.MaxInstances),
	}
	p := &publish.Publisher{
		Client: c, Collector: name, Aggregate: e.aggregate, Lock: &e.mu, Now: e.now, Stats: tel.stats(), Log: set.Logger,
	}
	go func() {
		defer close(e.done)
		p.Run(run)
	}()
	return e, nil
}

// signalEndpoints are those of fleets whose signals live in an etcd of their own.
func signalEndpoints() []coord.Option {
	if endpoints := coord.SignalEndpoints(); len(endpoints) > 0 {
		return []coord.Option{coord.WithEndpoints(endpoints...)}
	}
	return nil
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

// take records one export.
func (e *engine) take(ctx context.Context, b *batch, tel *telemetry) {
	taken := int64(0)
	e.mu.Lock()
	now := e.now()
	for i := range b.attempts {
		a := &b.attempts[i]
		if e.aggregate.Record(now, b.caller, a.target, &a.measurement) == nil {
			taken++
		} else {
			b.refuse(reasonFull, 1)
		}
	}
	for _, t := range b.ejected {
		if e.aggregate.Eject(now, b.caller, t) == nil {
			taken++
		} else {
			b.refuse(reasonFull, 1)
		}
	}
	instances := e.aggregate.Instances()
	e.mu.Unlock()
	tel.took(ctx, taken, b.refused, instances)
}
