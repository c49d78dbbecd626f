// SPDX-License-Identifier: Apache-2.0

package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/otelplat/platform/otelplat/event"
)

// maxDead bounds the dead letters of a namespace: the oldest make room.
const maxDead = 100_000

// streams makes the streams that are not there.
type streams struct {
	cfg config
	js  jetstream.JetStream

	known sync.Map // names that were seen
}

func (s *streams) eventsName() string { return "EVENTS-" + token(s.cfg.namespace) }
func (s *streams) deadName() string   { return "DEAD-" + token(s.cfg.namespace) }

func (s *streams) deadSubject(subscription string) string {
	return deadRoot + token(s.cfg.namespace) + "." + subscription
}

// events is the stream of events. It refuses what does not fit: an event that is
// deleted before everybody had it would be lost without a word. Where nobody relies on
// them the oldest make room.
func (s *streams) events() jetstream.StreamConfig {
	discard := jetstream.DiscardNew
	if s.cfg.discardOld {
		discard = jetstream.DiscardOld
	}
	return jetstream.StreamConfig{
		Name: s.eventsName(), Subjects: []string{eventsRoot + token(s.cfg.namespace) + ".>"},
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: discard,
		MaxAge: s.cfg.maxAge, MaxBytes: s.cfg.maxBytes, Duplicates: event.Deduplication, Replicas: s.cfg.replicas,
		AllowDirect: true,
	}
}

// dead is the stream of dead letters, which are for people: the newest matter.
func (s *streams) dead() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: s.deadName(), Subjects: []string{deadRoot + token(s.cfg.namespace) + ".>"},
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxMsgs: maxDead, MaxBytes: s.cfg.maxBytes / 4, Duplicates: event.Deduplication, Replicas: s.cfg.replicas,
		AllowDirect: true,
	}
}

// ensure makes a stream unless there is one of its name.
func (s *streams) ensure(ctx context.Context, want jetstream.StreamConfig) error {
	if _, seen := s.known.Load(want.Name); seen {
		return nil
	}
	_, err := s.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = s.js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			err = nil // another process was faster
		}
	}
	if err != nil {
		return fmt.Errorf("jetstream: stream %s: %w", want.Name, err)
	}
	s.known.Store(want.Name, true)
	return nil
}

// forget looks at the streams again before the next use.
func (s *streams) forget() { s.known.Clear() }
