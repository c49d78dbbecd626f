// SPDX-License-Identifier: Apache-2.0

package etcdprovider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/otel"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

var errClosed = errors.New("etcd provider: shut down")

// provider serves one collector. It has a goroutine for each document, which judges
// what comes, and at most one that tells the collector.
type provider struct {
	settings
	log    *zap.Logger
	ledger *ledger
	run    context.Context // ends with Shutdown
	cancel context.CancelFunc
	ended  func() // the counts are no longer reported
	once   sync.Once
	done   chan struct{} // closed when Shutdown is through

	judging sync.Mutex // one candidate is tried at a time

	mu        sync.Mutex
	closed    bool
	client    *coord.Client // opened by the first Retrieve
	documents map[string]*document
	epoch     int64 // grows with each document that is accepted
	watches
}

func newProvider(s settings, log *zap.Logger) *provider {
	if log == nil {
		log = zap.NewNop()
	}
	run, cancel := context.WithCancel(context.Background())
	p := &provider{settings: s, log: log, run: run, cancel: cancel, done: make(chan struct{}), documents: make(map[string]*document)}
	if s.trial != nil {
		p.ledger = &s.trial.ledger
		s.trial.add(p)
	} else {
		p.ledger = &ledger{}
	}
	var err error
	if p.ended, err = p.ledger.observe(otel.GetMeterProvider()); err != nil {
		otel.Handle(err) // a collector does not fail for its telemetry
		p.ended = func() {}
	}
	return p
}

// Scheme implements confmap.Provider.
func (p *provider) Scheme() string { return scheme }

// Retrieve implements confmap.Provider.
func (p *provider) Retrieve(ctx context.Context, uri string, watcher confmap.WatcherFunc) (*confmap.Retrieved, error) {
	name, err := parseURI(uri)
	if err != nil {
		return nil, err
	}
	d, err := p.follow(name)
	if err != nil {
		return nil, err
	}
	select {
	case <-d.decided:
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", uri, ctx.Err())
	case <-p.run.Done():
		return nil, errClosed
	}
	p.mu.Lock()
	current, err := d.accepted, d.err
	if current == nil {
		p.mu.Unlock()
		return nil, fmt.Errorf("%s: %w", uri, err)
	}
	w := p.add(d, watcher)
	p.mu.Unlock()
	p.ledger.hand(d.page, current)
	if p.trial == nil {
		p.ledger.confirm(func() bool { return true })
	}
	return confmap.NewRetrievedFromYAML(current.content, confmap.WithRetrievedClose(func(context.Context) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.drop(w)
		return nil
	}))
}

// follow returns a document, which is followed until Shutdown: from one Retrieve to the
// next nothing is read again.
func (p *provider) follow(name string) (*document, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if d := p.documents[name]; d != nil {
		return d, nil
	}
	if len(p.documents) == maxDocuments {
		return nil, fmt.Errorf("etcd:%s: a configuration has at most %d documents in etcd", name, maxDocuments)
	}
	if p.client == nil {
		client, err := coord.Open(coord.WithLogger(slog.New(zapslog.NewHandler(p.log.Core()))))
		if err != nil {
			return nil, fmt.Errorf("etcd:%s: %w", name, err)
		}
		p.client = client
		if p.validate == nil {
			p.log.Warn("configurations from etcd are not dry-run: only their syntax is checked before a reload")
		}
		if client.StateDir() == "" {
			p.log.Warn("OTELPLAT_STATE_DIR is not set: this collector cannot start while etcd is away")
		}
	}
	d, err := newDocument(p, name)
	if err != nil {
		return nil, err
	}
	p.documents[name] = d
	return d, nil
}

// others is what a candidate finds in place of the other documents.
func (p *provider) others(ctx context.Context, name string) ([]byte, error) {
	d, err := p.follow(name)
	if err != nil {
		return nil, err
	}
	return d.content(ctx)
}

// accept notes that a document has a new content, and tells the collector and the
// documents that were refused beside the old one.
func (p *provider) accept(d *document, r *revision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.accepted = r
	p.epoch++
	for _, other := range p.documents {
		if other != d {
			other.lookAgain()
		}
	}
	p.tell()
}

// Shutdown implements confmap.Provider. It ends following, and waits for the goroutines:
// but for one that is telling a collector which no longer listens, which ends when the
// collector closes its channel.
func (p *provider) Shutdown(ctx context.Context) error {
	p.once.Do(func() { go p.end() })
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("etcd provider: not ended: %w", ctx.Err())
	}
}

func (p *provider) end() {
	defer close(p.done)
	p.cancel()
	p.mu.Lock()
	p.closed = true
	documents, client := p.documents, p.client
	p.mu.Unlock()
	for _, d := range documents {
		d.close()
	}
	told := make(chan struct{})
	go func() {
		defer close(told)
		p.senders.Wait()
	}()
	select {
	case <-told:
	case <-time.After(p.senderGrace):
	}
	if client != nil {
		_ = client.Close()
	}
	p.ended()
	if p.trial != nil {
		p.trial.remove(p)
	}
}
