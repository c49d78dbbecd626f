// SPDX-License-Identifier: Apache-2.0

package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/otelplat/platform/otelplat/event"
)

const (
	// MaxRecent is how many events one call of [Bus.Recent] reads.
	MaxRecent = 10_000

	// MaxRecentBytes bounds the events that one call of [Bus.Recent] returns.
	MaxRecentBytes = 16 << 20
)

// ErrNoStream is what [Bus.Recent] returns where nothing was ever stored in the namespace.
var ErrNoStream = errors.New("there is no stream")

// Past is what was stored of late.
type Past struct {
	Events []event.Delivery // oldest first
	Now    time.Time        // by the server's clock, which also says when events were stored
	More   bool             // older ones that were asked for are left out, for they are too many or too large
	Late   bool             // newer ones are left out: there was no time to read them

	// Since is set where events of the time asked for are not there any more, whatever their
	// type: from then on they are. Older ones made room, or the stream does not keep them so long.
	Since time.Time
}

// Recent returns the newest events of some types, of all without any, that were stored within
// a time by the server's clock: at most limit of them, which is at most [MaxRecent]; where
// there are more it may return as few as half of that, and none of those before the newest
// [MaxRecentBytes]. When the context's deadline is over it returns what it has read. It is for
// people who ask what happened. It makes no stream, waits for no event, acknowledges none, and leaves nothing
// behind on the server. It returns [*event.Error], [event.ErrClosed], [ErrNoStream], or what
// the context or NATS says.
func (b *Bus) Recent(ctx context.Context, types []string, within time.Duration, limit int) (Past, error) {
	if limit < 1 || limit > MaxRecent {
		return Past{}, &event.Error{Field: "limit", Reason: fmt.Sprintf("is %d, want 1 to %d", limit, MaxRecent)}
	}
	if within <= 0 {
		return Past{}, &event.Error{Field: "time", Reason: fmt.Sprintf("is %v, want more than 0", within)}
	}
	s := event.Subscription{Ephemeral: true, Types: types}
	if _, err := s.Complete(); err != nil {
		return Past{}, err
	}
	if b.ctx.Err() != nil {
		return Past{}, event.ErrClosed
	}
	past, err := b.recent(ctx, filters(b.cfg.namespace, "", types), within, limit)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return Past{}, fmt.Errorf("jetstream: %s: %w", b.streams.eventsName(), err)
	}
	return past, nil
}

func (b *Bus) recent(ctx context.Context, subjects []string, within time.Duration, limit int) (past Past, err error) {
	stream, err := b.js.Stream(ctx, b.streams.eventsName())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return past, ErrNoStream
	}
	if err != nil {
		return past, err
	}
	info := stream.CachedInfo()
	past.Now = info.TimeStamp
	start := past.Now.Add(-within)
	past.Since = since(&info.State, start)
	p, err := openPage(ctx, stream, jetstream.ConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &start,
	})
	if err != nil {
		return past, err
	}
	if past.More = p.holds() > limit; past.More {
		p.close()
		if p, err = newest(ctx, stream, subjects, limit, info.State.FirstSeq, info.State.LastSeq+1); err != nil {
			return past, err
		}
	}
	defer p.close()
	err = p.read(ctx, min(p.holds(), limit), &past)
	return past, err
}

// since returns from when on a stream has all that was stored, if that is after the start.
func since(s *jetstream.StreamState, start time.Time) time.Time {
	from := s.FirstTime
	if s.Msgs == 0 {
		from = s.LastTime // after which nothing was stored
	}
	if s.FirstSeq <= 1 || !from.After(start) {
		return time.Time{}
	}
	return from
}

// newest opens the page of the newest messages of a stream, which holds more than the limit
// from one sequence on and none from another on. A stream can only be read forwards, so where
// to begin is found by halving; half of the limit is near enough.
func newest(ctx context.Context, stream jetstream.Stream, subjects []string, limit int, tooMany, none uint64) (*page, error) {
	from := func(sequence uint64) (*page, error) {
		return openPage(ctx, stream, jetstream.ConsumerConfig{
			FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: sequence,
		})
	}
	for none-tooMany > 1 {
		middle := tooMany + (none-tooMany)/2
		p, err := from(middle)
		if err != nil {
			return nil, err
		}
		switch n := p.holds(); {
		case n > limit:
			tooMany = middle
		case n >= max(limit/2, 1):
			return p, nil
		default:
			none = middle
		}
		p.close()
	}
	return from(none)
}

// page is a part of a stream that is read once: an ephemeral consumer that acknowledges
// nothing.
type page struct {
	stream   jetstream.Stream
	consumer jetstream.Consumer
}

func openPage(ctx context.Context, stream jetstream.Stream, c jetstream.ConsumerConfig) (*page, error) {
	c.AckPolicy, c.MemoryStorage, c.Replicas, c.InactiveThreshold = jetstream.AckNonePolicy, true, 1, forgetPerson
	consumer, err := stream.CreateConsumer(ctx, c)
	if err != nil {
		return nil, err
	}
	return &page{stream, consumer}, nil
}

// holds returns how many messages the page had when it was opened.
func (p *page) holds() int {
	return int(min(p.consumer.CachedInfo().NumPending, 1<<31-1)) //nolint:gosec // bounded
}

// close makes the server forget the page; it does so by itself in a while.
func (p *page) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.stream.DeleteConsumer(ctx, p.consumer.CachedInfo().Name)
}

// recentAtOnce is how many messages one request asks for.
const recentAtOnce = 64

// read reads the first n messages, which the page has, into what is known of the past. It ends
// early, and says so, with the context's deadline; it keeps the newest that are small enough
// together.
func (p *page) read(ctx context.Context, n int, past *Past) error {
	var events []event.Delivery
	first, size := 0, 0
	defer func() { past.Events = events[first:] }()
	for n > 0 {
		// What made room in the meantime is not waited for.
		batch, err := p.consumer.FetchNoWait(min(n, recentAtOnce))
		if err != nil {
			return err
		}
		got := 0
		for {
			var msg jetstream.Msg
			var more bool
			select {
			case msg, more = <-batch.Messages():
			case <-ctx.Done():
				if past.Late = len(events) > 0 && errors.Is(ctx.Err(), context.DeadlineExceeded); past.Late {
					return nil
				}
				return ctx.Err()
			}
			if !more {
				break
			}
			got++
			meta, err := msg.Metadata()
			if err != nil {
				return err
			}
			e, service, err := decode(msg.Subject(), msg.Headers(), msg.Data())
			if err != nil { // others may write to the stream
				continue
			}
			events = append(events, event.Delivery{Event: e, Service: service, Attempt: 1, Sequence: meta.Sequence.Stream, Stored: meta.Timestamp})
			for size += bytesOf(&events[len(events)-1]); size > MaxRecentBytes; first++ {
				size -= bytesOf(&events[first])
				events[first], past.More = event.Delivery{}, true // so that it is freed
			}
		}
		if err := batch.Error(); err != nil {
			return err
		}
		if got == 0 {
			return p.ended(ctx, past)
		}
		n -= got
	}
	return nil
}

// ended finds out why there were fewer messages than the page had: the oldest made room in
// the meantime, or the server says nothing.
func (p *page) ended(ctx context.Context, past *Past) error {
	info, err := p.consumer.Info(ctx)
	switch {
	case err == nil:
		past.Late = info.NumPending > 0
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		past.Late = true
		return nil
	}
	return err
}

// bytesOf is what an event holds of what others wrote.
func bytesOf(d *event.Delivery) int {
	n := len(d.Data) + len(d.ID) + len(d.Source) + len(d.Type) + len(d.Subject) + len(d.DataContentType) + len(d.DataSchema) + len(d.Service)
	for name, value := range d.Extensions {
		n += len(name) + len(value)
	}
	return n
}
