// SPDX-License-Identifier: Apache-2.0

package catalogprocessor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/collector-components/catalogprocessor/internal/catalog"
	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/collector-components/internal/shared"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"golang.org/x/time/rate"
)

// Events of unknown services a second, and at once.
const (
	eventRate  = 10
	eventBurst = 20
)

// pause is between two builds: a registry in motion costs a few percent of a core at most.
const pause = 100 * time.Millisecond

// look is how often strangers may be forgotten.
const look = time.Minute

// catalogue is what all instances of the processor with one configuration share. One
// goroutine keeps the snapshot current.
type catalogue struct {
	live      *document.Live[catalog.Document] // nil without a document
	directory discovery.Directory              // nil without discovery
	client    *coord.Client                    // of the directory alone; nil where it is the document's
	file      bool

	current   atomic.Pointer[catalog.Snapshot] // written by run
	strangers catalog.Strangers
	limit     *rate.Limiter

	cancel context.CancelFunc
	done   chan struct{}
}

// catalogues are those of this process.
var catalogues shared.Pool[*catalogue]

// openCatalogue waits for no network: what is not there yet comes later.
func openCatalogue(ctx context.Context, cfg *Config, log *slog.Logger) (c *catalogue, err error) {
	c = &catalogue{limit: rate.NewLimiter(eventRate, eventBurst), done: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("otelplat_catalog: %w", err), c.closeSources())
		}
	}()
	if cfg.Document != nil {
		c.file = cfg.Document.File != ""
		if c.live, err = document.Open(ctx, cfg.Document, catalog.Document{}, log); err != nil {
			return c, err
		}
	}
	if cfg.Discovery != nil {
		client, err := c.connect(ctx, cfg, log)
		if err != nil {
			return c, err
		}
		if c.directory, err = discovery.Etcd(client).Directory(ctx); err != nil {
			return c, err
		}
	}
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	c.cancel = cancel
	c.build()
	go c.run(run)
	return c, nil
}

// connect returns a connection for the directory, which is the document's where both are in
// one place.
func (c *catalogue) connect(ctx context.Context, cfg *Config, log *slog.Logger) (*coord.Client, error) {
	if c.live != nil && c.live.Client() != nil && reflect.DeepEqual(*cfg.Document.Etcd, cfg.Discovery.Etcd) {
		return c.live.Client(), nil
	}
	client, err := cfg.Discovery.Etcd.Open(ctx, log)
	c.client = client
	return client, err
}

// run builds a snapshot after each change.
func (c *catalogue) run(ctx context.Context) {
	defer close(c.done)
	var documents, instances <-chan struct{}
	if c.live != nil {
		documents = c.live.Updates(ctx)
	}
	if c.directory != nil {
		instances = c.directory.Updates(ctx)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	looks := time.NewTicker(look)
	defer looks.Stop()
	c.strangers.Look(time.Now())
	c.build() // what changed between the first and the subscription
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-documents:
			if !open {
				documents = nil
				continue
			}
			c.build()
			c.strangers.Forget()
		case _, open := <-instances:
			if !open {
				instances = nil
				continue
			}
			c.build()
		case now := <-looks.C:
			c.strangers.Look(now)
			continue
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

func (c *catalogue) build() {
	s := catalog.Source{Required: c.live != nil}
	if c.live != nil && (c.file || c.live.Revision() > 0) {
		d := c.live.Get()
		s.Document = &d
	}
	if c.directory != nil {
		s.Directory, s.Listed = c.directory, known(c.directory.Age()) || len(c.directory.Services()) > 0
	}
	c.current.Store(catalog.Build(c.current.Load(), s))
}

// age returns how long ago what is known was known to be current, and whether it ever was.
func (c *catalogue) age() (time.Duration, bool) {
	var age time.Duration
	if c.live != nil {
		age = c.live.Age()
	}
	if c.directory != nil {
		age = max(age, c.directory.Age())
	}
	return age, known(age)
}

// known tells an age from what a mirror that never heard from etcd says.
func known(age time.Duration) bool { return age < 100*365*24*time.Hour }

// Close ends the goroutine, then what it reads.
func (c *catalogue) Close() error {
	c.cancel()
	<-c.done
	return c.closeSources()
}

func (c *catalogue) closeSources() error {
	var errs []error
	if c.directory != nil {
		errs = append(errs, c.directory.Close())
	}
	if c.client != nil {
		errs = append(errs, c.client.Close())
	}
	if c.live != nil {
		errs = append(errs, c.live.Close())
	}
	return errors.Join(errs...)
}
