// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

const scope = "github.com/otelplat/platform/coord/lock"

// watchAfter is how long a lock is held before its key is watched. Most are given back
// before that, and a watch costs as much as taking a lock.
const watchAfter = 250 * time.Millisecond

// hold is a lock in etcd that is, or was, held.
type hold struct {
	place *place
	name  string
	held  context.Context // ends with Unlock and with Close: the holding's lifetime
	end   context.CancelFunc
	lost  chan struct{}
	once  atomic.Bool // unlocked
	gone  atomic.Bool // the key was seen to be deleted
}

// newHold watches over the lock until it is unlocked or lost.
func newHold(q *place, name string) *hold {
	h := &hold{place: q, name: name, lost: make(chan struct{})}
	h.held, h.end = context.WithCancel(q.locker.run)
	q.locker.wg.Go(func() {
		defer q.locker.end()
		defer close(h.lost)
		if h.guard() {
			h.gone.Store(true)
			h.report()
			q.expireDelay()
		}
	})
	return h
}

// guard returns true when the lock is lost, and false when it is unlocked. A lease that is
// revoked takes the key with it: both are seen at once by whoever watches the key.
func (h *hold) guard() (lost bool) {
	soon := time.NewTimer(watchAfter)
	defer soon.Stop()
	session := h.place.session
	select {
	case <-h.held.Done():
		return false
	case <-session.lost:
		return h.held.Err() == nil
	case <-soon.C:
	}
	self := &mvccpb.KeyValue{Key: []byte(h.place.key), CreateRevision: h.place.revision}
	_ = h.place.retry(h.held, func() error { return h.place.gone(h.held, self) })
	return h.held.Err() == nil
}

func (h *hold) Token() Token {
	return Token{Epoch: h.place.session.epoch, Revision: h.place.revision, Key: h.place.key}
}

func (h *hold) Valid() bool {
	return !h.once.Load() && !h.gone.Load() && h.place.session.valid() && h.place.locker.run.Err() == nil
}

func (h *hold) Lost() <-chan struct{} { return h.lost }

func (h *hold) Unlock(ctx context.Context) error {
	if !h.once.CompareAndSwap(false, true) {
		return ErrNotHeld
	}
	lost := h.gone.Load() || !h.place.session.valid()
	h.end()
	<-h.lost
	locker := h.place.locker
	if locker.run.Err() != nil {
		return ErrLost // Close revoked it
	}
	released, err := h.place.release(ctx)
	switch {
	case err != nil:
		locker.abandon(h.place)
		return fmt.Errorf("lock: unlock %q goes on behind this error: %w", h.name, err)
	case !released || lost:
		return fmt.Errorf("%w: %q", ErrLost, h.name)
	}
	locker.giveKey(h.place)
	return nil
}

func (h *hold) report() {
	var r log.Record
	r.SetEventName(semconv.EventLockLost)
	r.SetSeverity(log.SeverityWarn)
	r.SetTimestamp(time.Now())
	r.AddAttributes(attribute.String(semconv.LockName, h.name), attribute.Int64(semconv.LockToken, h.place.revision))
	otel.GetLoggerProvider().Logger(scope).Emit(context.Background(), r)
}

var _ Held = (*hold)(nil)
