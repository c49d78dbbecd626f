// SPDX-License-Identifier: Apache-2.0

package event

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/attribute"
)

const (
	// windowFactor is how many events a subscription has in hand for each worker:
	// enough that one key that hangs leaves others to do.
	windowFactor = 8

	// maxLeftBehind bounds the handlers that did not return when their context ended.
	maxLeftBehind = 16

	// patience is how long a handler may take to return after its context ended.
	patience = time.Second

	// extendEvery is how often a bus is told that an event is still being worked on.
	extendEvery = 3 * time.Second

	// unsettledFactor bounds, in MaxAttempts, how often an event is handed out that
	// ends the process which handles it. Handing it back when a process stops counts,
	// so the bound is a wide one.
	unsettledFactor = 4

	// maxReason bounds why an event went to the dead letters, in bytes.
	maxReason = 1024
)

// Message is an event in the hands of a subscription, with what the bus does about
// it. One of Done, Retry and Dead is called, once; one that fails leaves the event
// to come again.
type Message struct {
	Delivery

	Done   func(ctx context.Context) error
	Retry  func(ctx context.Context, after time.Duration) error
	Dead   func(ctx context.Context, reason string) error // keeps it with the dead letters, then ends it
	Extend func() error                                   // it is being worked on; nil where the bus does not ask
}

// Window returns how many events a subscription may have in hand at once.
func (s *Subscription) Window() int { return s.Concurrency * windowFactor }

// Dispatcher runs the handler of one subscription for those who implement a [Bus]:
// workers, order by key, time-outs, panics, retries, dead letters, spans and
// counters are the same for all of them.
//
// Each key has a queue while something of it is in hand. A worker takes the first
// event of the key that has waited longest.
type Dispatcher struct {
	s       Subscription
	handler Handler
	ctx     context.Context // of all handlers; ends with Close
	cancel  context.CancelFunc
	window  chan struct{} // holds a token for each event in hand
	wg      sync.WaitGroup

	mu       sync.Mutex
	queues   map[string][]*Message // by key, the running one left out
	runnable []*Message            // the first of each key that waits for a worker
	inHand   map[*Message]struct{}
	running  int
	behind   int           // handlers left behind
	returned chan struct{} // one of them returned
}

// NewDispatcher returns a dispatcher of a complete subscription. It owns its
// goroutines until Close.
func NewDispatcher(s Subscription, h Handler) *Dispatcher {
	d := &Dispatcher{
		s: s, handler: h, window: make(chan struct{}, s.Window()),
		queues: make(map[string][]*Message), inHand: make(map[*Message]struct{}), returned: make(chan struct{}, 1),
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.wg.Go(d.extend)
	return d
}

// Ready waits until there is room for an event. It returns false when the context
// or the dispatcher ends. After true, one Dispatch or one Release must follow.
func (d *Dispatcher) Ready(ctx context.Context) bool {
	select {
	case d.window <- struct{}{}:
		if d.ctx.Err() == nil && ctx.Err() == nil {
			return true
		}
		<-d.window
	case <-ctx.Done():
	case <-d.ctx.Done():
	}
	return false
}

// TryReady is like Ready, but returns false when there is no room now.
func (d *Dispatcher) TryReady() bool {
	select {
	case d.window <- struct{}{}:
		return true
	default:
		return false
	}
}

// Release gives back the room that Ready reserved.
func (d *Dispatcher) Release() { <-d.window }

// Dispatch takes an event for which Ready made room. It does not wait for a worker.
func (d *Dispatcher) Dispatch(m *Message) {
	d.mu.Lock()
	if d.ctx.Err() != nil {
		d.mu.Unlock()
		d.Release()
		d.giveBack(m)
		return
	}
	defer d.mu.Unlock()
	d.inHand[m] = struct{}{}
	key := m.Key()
	if queue, busy := d.queues[key]; busy {
		d.queues[key] = append(queue, m)
		return
	}
	d.queues[key] = nil
	d.runnable = append(d.runnable, m)
	d.start()
}

// start puts workers to work. The dispatcher is locked.
func (d *Dispatcher) start() {
	for d.running < d.s.Concurrency && len(d.runnable) > 0 {
		m := d.runnable[0]
		d.runnable = d.runnable[1:]
		d.running++
		d.wg.Go(func() { d.work(m) })
	}
}

// work handles one event after the other until none waits.
func (d *Dispatcher) work(m *Message) {
	for m != nil {
		d.process(m)
		d.Release()
		m = d.next(m)
	}
}

// next ends the turn of an event and returns the one that has waited longest.
func (d *Dispatcher) next(done *Message) *Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inHand, done)
	key := done.Key()
	if queue := d.queues[key]; len(queue) > 0 {
		d.runnable = append(d.runnable, queue[0])
		d.queues[key] = queue[1:]
	} else {
		delete(d.queues, key)
	}
	if len(d.runnable) == 0 {
		d.running--
		return nil
	}
	m := d.runnable[0]
	d.runnable = d.runnable[1:]
	return m
}

// process runs the handler and tells the bus what becomes of the event.
func (d *Dispatcher) process(m *Message) {
	if d.ctx.Err() != nil {
		d.giveBack(m)
		return
	}
	if m.Attempt > unsettledFactor*d.s.MaxAttempts {
		d.bury(d.ctx, m, fmt.Errorf("handed out %d times and never settled: the processes that handled it ended", m.Attempt-1))
		return
	}
	ctx, span := startProcess(d.ctx, d.s.Name, &m.Delivery)
	defer span.End()
	err := d.handle(ctx, m)
	failed(span, err)
	var after *delayed
	var final *terminal
	switch {
	case err == nil:
		d.settled(ctx, outcomeDone, m.Done(context.WithoutCancel(ctx)))
	case d.ctx.Err() != nil: // it was told to stop: no fault of the event
		d.giveBack(m)
	case errors.As(err, &final) || m.Attempt >= d.s.MaxAttempts:
		d.bury(ctx, m, err)
	case errors.As(err, &after):
		d.settled(ctx, outcomeRetried, m.Retry(ctx, after.after))
	default:
		d.settled(ctx, outcomeRetried, m.Retry(ctx, d.s.delay(m.Attempt)))
	}
}

// delay is how long an event waits after so many attempts, a fifth more or less, so
// that events that failed together do not come back together.
func (s *Subscription) delay(attempts int) time.Duration {
	after := s.RetryDelay
	for range attempts - 1 {
		if after *= 2; after >= MaxRetryDelay {
			after = MaxRetryDelay
			break
		}
	}
	jitter := 0.8 + 0.4*rand.Float64() //nolint:gosec // a delay, not a secret
	return time.Duration(jitter * float64(after))
}

// bury sends an event to the dead letters. When they do not take it, it comes again.
func (d *Dispatcher) bury(ctx context.Context, m *Message, why error) {
	reason := strings.ToValidUTF8(why.Error(), "\uFFFD")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	err := m.Dead(context.WithoutCancel(ctx), reason)
	d.settled(ctx, outcomeDead, err)
	if err == nil {
		buried(ctx, d.s.Name, &m.Delivery, reason)
	}
}

// giveBack lets another process have the event at once.
func (d *Dispatcher) giveBack(m *Message) {
	// An error leaves it to come again later, which is all that can be done.
	_ = m.Retry(context.WithoutCancel(d.ctx), 0)
}

func (d *Dispatcher) settled(ctx context.Context, outcome string, err error) {
	if err != nil {
		outcome = outcomeUnsettled
	}
	counted(ctx, semconv.EventDeliveries, "Deliveries to subscriptions, by outcome",
		attribute.String(semconv.EventSubscription, d.s.Name), attribute.String(semconv.EventOutcome, outcome))
}

// handle runs the handler until it returns, and at most a little longer than the
// timeout: then it is left behind.
func (d *Dispatcher) handle(ctx context.Context, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, d.s.Timeout)
	result := make(chan error, 1)
	go func() {
		defer cancel()
		result <- d.call(ctx, m.Delivery)
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case err := <-result:
		return err
	case <-late.C:
	}
	d.leave(result)
	return fmt.Errorf("the handler did not return within %v", d.s.Timeout)
}

// call runs the handler and makes a panic an error.
func (d *Dispatcher) call(ctx context.Context, delivery Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return d.handler(ctx, delivery)
}

// leave leaves a handler behind. While there are too many, it waits for one of
// them, and no worker takes another event.
func (d *Dispatcher) leave(result <-chan error) {
	d.mu.Lock()
	d.behind++
	full := d.behind > maxLeftBehind
	d.mu.Unlock()
	leftBehind(d.s.Name, 1)
	go func() {
		<-result //nolint:errcheck // it was answered for when it ran over its time
		d.mu.Lock()
		d.behind--
		d.mu.Unlock()
		leftBehind(d.s.Name, -1)
		select {
		case d.returned <- struct{}{}:
		default:
		}
	}()
	for full {
		select {
		case <-d.returned:
		case <-d.ctx.Done():
			return
		}
		d.mu.Lock()
		full = d.behind > maxLeftBehind
		d.mu.Unlock()
	}
}

// extend tells the bus about everything in hand, so that it hands none of it to
// others.
func (d *Dispatcher) extend() {
	tick := time.NewTicker(extendEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-tick.C:
		}
		d.mu.Lock()
		inHand := make([]*Message, 0, len(d.inHand))
		for m := range d.inHand {
			inHand = append(inHand, m)
		}
		d.mu.Unlock()
		for _, m := range inHand {
			if m.Extend != nil {
				_ = m.Extend() // the next one follows soon
			}
		}
	}
}

// Close ends the handlers' contexts, gives back what waits, and returns when the
// workers have ended: those handlers that do not return within a second are left
// behind. It is idempotent.
func (d *Dispatcher) Close() error {
	d.mu.Lock()
	d.cancel()
	d.mu.Unlock()
	d.wg.Wait()
	return nil
}
