// SPDX-License-Identifier: Apache-2.0

package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/otelplat/platform/otelplat/event"
)

// Headers of a dead letter, beside those of the event.
const (
	headerReason   = "otelplat-dead-reason"
	headerAttempts = "otelplat-dead-attempts"
	headerSubject  = "otelplat-dead-subject"
	headerSequence = "otelplat-dead-sequence"
)

// bury writes a message to the dead letters, and then ends it. A letter that was
// written before the process ended is known again by subscription and sequence.
func (s *subscription) bury(ctx context.Context, msg jetstream.Msg, meta *jetstream.MsgMetadata, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	b := s.bus
	if err := b.streams.ensure(ctx, b.streams.dead()); err != nil {
		return err
	}
	letter := nats.NewMsg(b.streams.deadSubject(s.s.Name))
	letter.Data = msg.Data()
	for key, values := range msg.Headers() {
		if strings.HasPrefix(key, attributePrefix) {
			letter.Header[key] = values
		}
	}
	sequence := strconv.FormatUint(meta.Sequence.Stream, 10)
	letter.Header[headerReason] = []string{percent(reason)}
	letter.Header[headerAttempts] = []string{strconv.FormatUint(meta.NumDelivered, 10)}
	letter.Header[headerSubject] = []string{msg.Subject()}
	letter.Header[headerSequence] = []string{sequence}
	if _, err := b.js.PublishMsg(ctx, letter, jetstream.WithMsgID(s.s.Name+"/"+sequence)); err != nil {
		b.streams.forget()
		return fmt.Errorf("jetstream: dead letter: %w", err)
	}
	return msg.TermWithReason("dead letter")
}

// DeadLetters implements [event.Bus].
func (b *Bus) DeadLetters(ctx context.Context, subscription string, limit int) ([]event.DeadLetter, error) {
	if err := event.CheckDeadLetters(subscription, limit); err != nil {
		return nil, err
	}
	if b.ctx.Err() != nil {
		return nil, event.ErrClosed
	}
	letters, err := b.deadLetters(ctx, b.streams.deadSubject(subscription), limit)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("jetstream: dead letters of %s: %w", subscription, err)
	}
	return letters, nil
}

// deadLetters reads all letters of a subject and keeps the last ones: a stream can
// only be read forwards.
func (b *Bus) deadLetters(ctx context.Context, subject string, limit int) ([]event.DeadLetter, error) {
	stream, err := b.js.Stream(ctx, b.streams.deadName())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return nil, err
	}
	left := int(min(info.State.Subjects[subject], maxDead)) //nolint:gosec // bounded
	if left == 0 {
		return nil, nil
	}
	reader, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}})
	if err != nil {
		return nil, err
	}
	var letters []event.DeadLetter
	for left > 0 {
		batch, err := reader.Fetch(min(left, readAtOnce), jetstream.FetchContext(ctx))
		if err != nil {
			return nil, err
		}
		got := 0
		for msg := range batch.Messages() {
			got++
			if letter, err := letterOf(msg); err == nil { // others are not written by us
				letters = append(letters, letter)
			}
		}
		if err := batch.Error(); err != nil {
			return nil, err
		}
		if got == 0 {
			break // the oldest made room in the meantime
		}
		left -= got
		letters = slices.Delete(letters, 0, max(0, len(letters)-limit))
	}
	slices.Reverse(letters)
	return letters, nil
}

// readAtOnce is how many letters one request asks for.
const readAtOnce = 500

func letterOf(msg jetstream.Msg) (event.DeadLetter, error) {
	header := msg.Headers()
	meta, err := msg.Metadata()
	if err != nil {
		return event.DeadLetter{}, err
	}
	e, service, err := decode(header.Get(headerSubject), header, msg.Data())
	if err != nil {
		return event.DeadLetter{}, err
	}
	l := event.DeadLetter{Event: e, Service: service, Buried: meta.Timestamp}
	if l.Reason, err = url.PathUnescape(header.Get(headerReason)); err != nil {
		return l, err
	}
	if l.Attempts, err = strconv.Atoi(header.Get(headerAttempts)); err != nil {
		return l, err
	}
	l.Sequence, err = strconv.ParseUint(header.Get(headerSequence), 10, 64)
	return l, err
}
