// SPDX-License-Identifier: Apache-2.0

package event

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	// Deduplication is how long a bus knows an event again, JetStream's default.
	Deduplication = 2 * time.Minute

	// memoryLimit bounds the events that are kept, those that wait for one
	// subscription, and its dead letters.
	memoryLimit = 10_000
)

// Memory is a [Bus] inside this process, for tests and for programs that have no
// other. It promises what the package says of a bus, for as long as the process
// lives; beyond 10,000 events that wait for one subscription it refuses more.
type Memory struct {
	service string

	mu     sync.Mutex
	closed bool
	last   uint64
	kept   []*stored
	seen   map[identity]time.Time
	order  []identity // of seen, the oldest first
	groups map[string]*group
	dead   map[string][]DeadLetter
	subs   map[*memorySubscription]struct{}
}

// identity is what makes an event that event.
type identity struct{ source, id string }

// stored is an event on the bus.
type stored struct {
	event    Event
	sequence uint64
	at       time.Time
}

// entry is a stored event that waits for a group.
type entry struct {
	*stored
	attempts int
}

// group is the durable position of the subscriptions of one name.
type group struct {
	s       Subscription
	waiting []entry
	more    chan struct{} // closed and made anew when something comes
}

// NewMemory returns a bus whose publisher is the given service.
func NewMemory(service string) *Memory {
	return &Memory{
		service: service, seen: make(map[identity]time.Time), groups: make(map[string]*group),
		dead: make(map[string][]DeadLetter), subs: make(map[*memorySubscription]struct{}),
	}
}

// Publish implements [Bus].
func (b *Memory) Publish(ctx context.Context, e Event) (err error) {
	e = e.Complete(b.service)
	if err := e.Check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("event: %s was not published: %w", e.Type, err)
	}
	ctx, end := StartPublish(ctx, &e)
	defer func() { end(err) }()
	return b.store(e.Traced(ctx).clone())
}

func (b *Memory) store(e Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	now := time.Now()
	for len(b.order) > 0 && now.Sub(b.seen[b.order[0]]) > Deduplication {
		delete(b.seen, b.order[0])
		b.order = b.order[1:]
	}
	id := identity{e.Source, e.ID}
	if _, known := b.seen[id]; known {
		return nil
	}
	for name, g := range b.groups {
		if g.s.Wants(b.service, e.Type) && len(g.waiting) >= memoryLimit {
			return fmt.Errorf("event: %d events wait for the subscription %q already", memoryLimit, name)
		}
	}
	b.seen[id] = now
	b.order = append(b.order, id)
	b.last++
	s := &stored{event: e, sequence: b.last, at: now}
	if b.kept = append(b.kept, s); len(b.kept) > memoryLimit {
		b.kept = slices.Delete(b.kept, 0, 1)
	}
	for _, g := range b.groups {
		if g.s.Wants(b.service, e.Type) {
			g.add(entry{stored: s})
		}
	}
	return nil
}

func (g *group) add(e entry) {
	g.waiting = append(g.waiting, e)
	close(g.more)
	g.more = make(chan struct{})
}

// memorySubscription feeds one handler.
type memorySubscription struct {
	bus        *Memory
	s          Subscription
	dispatcher *Dispatcher
	cancel     context.CancelFunc
	done       chan struct{}
	close      sync.Once
}

// Subscribe implements [Bus].
func (b *Memory) Subscribe(ctx context.Context, s Subscription, h Handler) (io.Closer, error) {
	if h == nil {
		return nil, invalid("subscription's handler", "is nil")
	}
	s, err := s.Complete()
	if err != nil {
		return nil, err
	}
	if s.Ephemeral {
		s.Name += "-" + NewID() // shared with nobody
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	g := b.groups[s.Name]
	if g == nil {
		g = &group{more: make(chan struct{})}
		b.groups[s.Name] = g
		if s.All {
			for _, e := range b.kept {
				if s.Wants(b.service, e.event.Type) {
					g.waiting = append(g.waiting, entry{stored: e})
				}
			}
		}
	}
	g.s = s // the newest says what the name wants from now on
	ctx, cancel := context.WithCancel(ctx)
	sub := &memorySubscription{bus: b, s: s, dispatcher: NewDispatcher(s, h), cancel: cancel, done: make(chan struct{})}
	b.subs[sub] = struct{}{}
	go sub.run(ctx, g)
	return sub, nil
}

// run hands out what waits until the context ends.
func (m *memorySubscription) run(ctx context.Context, g *group) {
	defer close(m.done)
	for m.dispatcher.Ready(ctx) {
		e, ok := m.bus.take(ctx, g)
		if !ok {
			m.dispatcher.Release()
			break
		}
		m.dispatcher.Dispatch(m.message(g, e))
	}
	_ = m.dispatcher.Close() // returns none
	m.bus.mu.Lock()
	defer m.bus.mu.Unlock()
	delete(m.bus.subs, m)
	if m.s.Ephemeral {
		delete(m.bus.groups, m.s.Name)
	}
}

// take waits for an event.
func (b *Memory) take(ctx context.Context, g *group) (entry, bool) {
	for {
		b.mu.Lock()
		if len(g.waiting) > 0 && ctx.Err() == nil {
			e := g.waiting[0]
			g.waiting = g.waiting[1:]
			b.mu.Unlock()
			e.attempts++
			return e, true
		}
		more := g.more
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return entry{}, false
		case <-more:
		}
	}
}

func (m *memorySubscription) message(g *group, e entry) *Message {
	b := m.bus
	return &Message{
		Delivery: Delivery{
			Event: e.event.clone(), Service: b.service, Attempt: e.attempts, Sequence: e.sequence, Stored: e.at,
		},
		Done: func(context.Context) error { return nil },
		Retry: func(_ context.Context, after time.Duration) error {
			again := func() {
				b.mu.Lock()
				defer b.mu.Unlock()
				g.add(e)
			}
			if after <= 0 {
				again()
				return nil
			}
			time.AfterFunc(after, again)
			return nil
		},
		Dead: func(_ context.Context, reason string) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			letters := append(b.dead[m.s.Name], DeadLetter{
				Event: e.event, Service: b.service, Attempts: e.attempts, Reason: reason, Sequence: e.sequence, Buried: time.Now(),
			})
			b.dead[m.s.Name] = letters[max(0, len(letters)-memoryLimit):]
			return nil
		},
	}
}

// Close implements [io.Closer].
func (m *memorySubscription) Close() error {
	m.close.Do(m.cancel)
	<-m.done
	return nil
}

// DeadLetters implements [Bus].
func (b *Memory) DeadLetters(ctx context.Context, subscription string, limit int) ([]DeadLetter, error) {
	if err := CheckDeadLetters(subscription, limit); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("event: dead letters: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	letters := slices.Clone(b.dead[subscription])
	slices.Reverse(letters)
	return letters[:min(len(letters), limit)], nil
}

// Close implements [Bus].
func (b *Memory) Close() error {
	b.mu.Lock()
	b.closed = true
	subs := make([]*memorySubscription, 0, len(b.subs))
	for s := range b.subs {
		subs = append(subs, s)
	}
	b.mu.Unlock()
	for _, s := range subs {
		_ = s.Close() // returns none
	}
	return nil
}

var _ Bus = (*Memory)(nil)
