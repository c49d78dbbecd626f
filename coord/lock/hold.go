// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

const scope = "github.com/otelplat/platform/coord/lock"

// hold is a lock in etcd that is, or was, held.
type hold struct {
	place    *place
	name     string
	unlocked chan struct{}
	lost     chan struct{}
	once     atomic.Bool
}

// newHold watches over the lock until it is unlocked or lost.
func newHold(q *place, name string) *hold {
	h := &hold{place: q, name: name, unlocked: make(chan struct{}), lost: make(chan struct{})}
	q.locker.wg.Go(func() {
		defer q.locker.end()
		defer close(h.lost)
		select {
		case <-h.unlocked:
		case <-q.session.lost:
			if q.locker.run.Err() == nil {
				h.report()
			}
		}
	})
	return h
}

func (h *hold) Token() Token {
	return Token{Epoch: h.place.session.epoch, Revision: h.place.revision, Key: h.place.key}
}

func (h *hold) Valid() bool {
	return !h.once.Load() && h.place.session.valid() && h.place.locker.run.Err() == nil
}

func (h *hold) Lost() <-chan struct{} { return h.lost }

func (h *hold) Unlock(ctx context.Context) error {
	if !h.once.CompareAndSwap(false, true) {
		return ErrNotHeld
	}
	lost := !h.place.session.valid()
	close(h.unlocked)
	<-h.lost
	token := h.Token()
	if h.place.locker.run.Err() != nil {
		return ErrLost // Close revoked it
	}
	// Fenced: a late or repeated delete can never hit another holder's key.
	resp, err := h.place.locker.client.Etcd().Txn(ctx).If(token.Guard()).Then(clientv3.OpDelete(token.Key)).Commit()
	switch {
	case err != nil:
		h.place.locker.abandon(h.place)
		return fmt.Errorf("lock: unlock %q goes on behind this error: %w", h.name, err)
	case !resp.Succeeded || lost:
		return fmt.Errorf("%w: %q", ErrLost, h.name)
	}
	h.place.locker.giveKey(h.place)
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
