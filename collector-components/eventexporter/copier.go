// SPDX-License-Identifier: Apache-2.0

package eventexporter

import (
	"context"
	"sync"
	"time"

	"github.com/otelplat/platform/otelplat/event"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
)

const (
	// maxRun is how many events are stored at once.
	maxRun = 256

	// firstPause and maxPause are between two tries.
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
)

// letter is an event of a service in the queue.
type letter struct {
	service string
	event   event.Event
}

// copier is the exporter at best effort: it takes whatever comes at once, and stores it
// from a queue. Its goroutine runs from Start to Shutdown.
type copier struct {
	*eventExporter
	wanted event.Subscription // its types

	mu    sync.RWMutex // for whoever sends to the queue
	queue chan letter  // nil before Start and after Shutdown

	ending chan struct{} // closed when there is no time any more to try again
	cancel context.CancelFunc
	done   chan struct{}

	away bool // of run: the last try failed
}

var _ exporter.Logs = (*copier)(nil)

func newCopier(e *eventExporter) *copier {
	return &copier{eventExporter: e, wanted: event.Subscription{Types: e.cfg.Types}}
}

// Start connects in the background.
func (c *copier) Start(ctx context.Context, host component.Host) error {
	if err := c.eventExporter.Start(ctx, host); err != nil {
		return err
	}
	queue := make(chan letter, c.cfg.QueueSize)
	run, cancel := context.WithCancel(context.Background())
	c.ending, c.cancel, c.done = make(chan struct{}), cancel, make(chan struct{})
	c.mu.Lock()
	c.queue = queue
	c.mu.Unlock()
	go c.run(run, queue)
	return nil
}

// Shutdown tries once to store what is left, for as long as its context.
func (c *copier) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	queue := c.queue
	c.queue = nil
	c.mu.Unlock()
	if queue != nil {
		close(queue)
		close(c.ending)
		select {
		case <-c.done:
		case <-ctx.Done():
		}
		c.cancel()
		<-c.done
	}
	return c.eventExporter.Shutdown(ctx)
}

// ConsumeLogs takes the records that are events of the types wanted, and never fails.
func (c *copier) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				if record.EventName() == "" || !c.wanted.Wants("", record.EventName()) {
					continue
				}
				l, err := letterOf(rl.Resource(), sl.Scope(), record, c.cfg.MaxData)
				if err != nil {
					c.count(ctx, 1, invalid)
					continue
				}
				if c.queue == nil {
					c.count(ctx, 1, unavailable)
					continue
				}
				select {
				case c.queue <- l:
				default:
					c.count(ctx, 1, dropped)
				}
			}
		}
	}
	return nil
}

func (c *copier) run(ctx context.Context, queue <-chan letter) {
	defer close(c.done)
	batch := make([]letter, 0, maxRun)
	for l := range queue {
		batch = append(batch[:0], l)
		for len(batch) < maxRun && len(queue) > 0 { // nobody else receives
			batch = append(batch, <-queue)
		}
		for first := 0; first < len(batch); {
			next := first + 1
			for next < len(batch) && batch[next].service == batch[first].service {
				next++
			}
			c.store(ctx, batch[first:next])
			first = next
		}
	}
}

// store stores events of one service, or counts that it could not. It tries again with
// the same ids.
func (c *copier) store(ctx context.Context, letters []letter) {
	events := make([]event.Event, len(letters))
	for i := range letters {
		events[i] = letters[i].event
	}
	bus, late := c.bus.Load(), time.Now().Add(c.cfg.MaxWait)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := bus.Append(ctx, letters[0].service, events...)
		if err == nil {
			if c.away {
				c.away = false
				c.log.Info("events are copied again")
			}
			c.count(ctx, len(events), stored)
			return
		}
		if !c.away {
			c.away = true
			c.log.Warn("events are not copied", zap.Error(err))
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
			if time.Now().Before(late) {
				continue
			}
		case <-c.ending:
			again.Stop()
		}
		c.count(ctx, len(events), unavailable)
		return
	}
}
