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
	// maxBatch is how many events are stored at once.
	maxBatch = 256

	// firstPause and maxPause are between two tries.
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second

	// drainFor bounds a shutdown, all that is left in the queue together: as long as one try
	// waits for JetStream.
	drainFor = 5 * time.Second
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

// Shutdown tries once to store what is left, for as long as its context and for five
// seconds at most.
func (c *copier) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	queue := c.queue
	c.queue = nil
	c.mu.Unlock()
	if queue != nil {
		close(queue)
		close(c.ending)
		ctx, cancel := context.WithTimeout(ctx, drainFor)
		defer cancel()
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
	batch := make([]letter, 0, maxBatch)
	for l := range queue {
		batch = append(batch[:0], l)
		for len(batch) < maxBatch && len(queue) > 0 { // nobody else receives
			batch = append(batch, <-queue)
		}
		c.store(ctx, byService(batch))
	}
}

// byService sorts letters by service. Within one they stay in order.
func byService(letters []letter) []request {
	var groups []request
	at := make(map[string]int)
	for i := range letters {
		l := &letters[i]
		g, there := at[l.service]
		if !there {
			g = len(groups)
			at[l.service], groups = g, append(groups, request{service: l.service})
		}
		groups[g].events = append(groups[g].events, l.event)
	}
	return groups
}

// store stores a batch, or counts what it could not. It tries again with the same ids, and
// for all of the batch together as long as one event may be tried.
func (c *copier) store(ctx context.Context, left []request) {
	late := time.Now().Add(c.cfg.MaxWait)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		if left = c.try(ctx, left, late); len(left) == 0 {
			return
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
		for i := range left {
			c.count(ctx, len(left[i].events), unavailable)
		}
		return
	}
}

// try tries the events of each service once, and returns what is not stored. One service's
// that are refused leave the others alone; after one whose failure took until it is late the
// others are not tried, for they would take as long.
func (c *copier) try(ctx context.Context, groups []request, late time.Time) (left []request) {
	bus := c.bus.Load()
	var failed error
	for i := range groups {
		if ctx.Err() != nil || failed != nil && time.Now().After(late) {
			left = append(left, groups[i:]...)
			break
		}
		if err := bus.Append(ctx, groups[i].service, groups[i].events...); err != nil {
			failed, left = err, append(left, groups[i])
			continue
		}
		c.count(ctx, len(groups[i].events), stored)
	}
	switch {
	case failed == nil && c.away && len(left) == 0:
		c.away = false
		c.log.Info("events are copied again")
	case failed != nil && !c.away:
		c.away = true
		c.log.Warn("events are not copied", zap.Error(failed))
	}
	return left
}
