// SPDX-License-Identifier: Apache-2.0

package jetstream

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/otelplat/platform/otelplat/event"
)

// slow is a consumer on a server that gives one batch, and then says nothing.
type slow struct {
	jetstream.Consumer
	first jetstream.MessageBatch
}

func (s *slow) FetchNoWait(int) (jetstream.MessageBatch, error) {
	batch := s.first
	s.first = given(nil)
	if batch == nil {
		batch = given(nil)
	}
	return batch, nil
}

// given is a batch; nil is one that never comes.
type given chan jetstream.Msg

func (g given) Messages() <-chan jetstream.Msg { return g }
func (given) Error() error                     { return nil }

// message is one as it was stored.
type message struct {
	jetstream.Msg
	stored *nats.Msg
}

func (m message) Subject() string      { return m.stored.Subject }
func (m message) Headers() nats.Header { return m.stored.Header }
func (m message) Data() []byte         { return m.stored.Data }
func (message) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{}, nil
}

func TestWhatWasReadBeforeTheDeadlineIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		e := event.Event{ID: "1", Type: "route.eject"}.Complete("orders")
		batch := make(given, 1)
		batch <- message{stored: encode("default", "orders", &e)}
		close(batch)
		var past Past
		if err := (&page{consumer: &slow{first: batch}}).read(ctx, 2, &past); err != nil || len(past.Events) != 1 || !past.Late {
			t.Errorf("got %+v, %v, want the event that was there in time", past, err)
		}
	})
}

func TestBeforeAnythingWasReadADeadlineIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var past Past
		if err := (&page{consumer: &slow{}}).read(ctx, 2, &past); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %+v, %v", past, err)
		}
	})
}
