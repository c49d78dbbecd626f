// SPDX-License-Identifier: Apache-2.0

package etcdprovider

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/metric"
)

// Trial joins a provider with whoever runs the collector, who alone knows whether a
// configuration that was handed out has started: a dry run does not see that a port is
// taken or a file is missing. The zero value is ready. It outlives the collectors that
// one process runs one after the other, and remembers what failed.
//
//	for {
//		collector, err := otelcol.NewCollector(settings) // with NewFactory(WithTrial(&trial))
//		…                                                // and trial.Confirm from a goroutine
//		err = collector.Run(ctx)
//		if err == nil || !trial.Failed(err) {
//			return err
//		}
//	}
//
// Without a trial a document is the last good one when it is handed out.
type Trial struct {
	ledger ledger

	mu        sync.Mutex
	providers []*provider
}

// Confirm is to be called now and then. What was handed out before it becomes the last
// good if running says so: a collector hands out while it starts, and does not run then.
func (t *Trial) Confirm(running func() bool) { t.ledger.confirm(running) }

// Failed says that the collector ended, and ends what its providers left running: after
// a reload that failed it does not do so itself. It reports whether a document that has
// not run was taken back, so that another collector would get the last good one.
func (t *Trial) Failed(err error) bool {
	_ = t.Close()
	return t.ledger.takeBack(err)
}

// Observe reports the counts of what was applied and refused through a collector's own
// meter provider too, until the function that it returns is called. They go on from one
// meter provider to the next.
func (t *Trial) Observe(mp metric.MeterProvider) (end func(), err error) { return t.ledger.observe(mp) }

// Close ends the providers that were not shut down.
func (t *Trial) Close() error {
	t.mu.Lock()
	providers := t.providers
	t.providers = nil
	t.mu.Unlock()
	var errs []error
	for _, p := range providers {
		errs = append(errs, p.Shutdown(context.Background()))
	}
	return errors.Join(errs...)
}

func (t *Trial) add(p *provider) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.providers = append(t.providers, p)
}

func (t *Trial) remove(p *provider) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, other := range t.providers {
		if other == p {
			t.providers = append(t.providers[:i], t.providers[i+1:]...)
			return
		}
	}
}
