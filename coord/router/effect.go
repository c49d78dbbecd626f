// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"sync"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

const (
	// effectAfter is how long after an act its effect is told: as long as the figures before
	// it are of, so that the two share no request.
	effectAfter = (windowSeconds + 1) * time.Second

	// maxEffects bounds the acts of a service whose effect is still to be told.
	maxEffects = 64
)

// effects are the acts whose effect is to be told.
type effects struct {
	mu      sync.Mutex
	pending []act
}

// act is something that the router did, with the service's figures at the time.
type act struct {
	event  string // that told of it
	attrs  []attribute.KeyValue
	at     time.Duration
	before Stats
}

// acted remembers an act. When there are too many of them to tell of each, it is one of the
// later ones that is not told: what happened first explains the rest.
func (s *service) acted(event string, attrs []attribute.KeyValue) {
	now := s.router.now()
	a := act{event: event, attrs: attrs, at: now, before: s.window.sum(now)}
	s.effects.mu.Lock()
	defer s.effects.mu.Unlock()
	if len(s.effects.pending) < maxEffects {
		s.effects.pending = append(s.effects.pending, a)
	}
}

// tellEffects tells of the acts that are old enough.
func (s *service) tellEffects(now time.Duration) {
	s.effects.mu.Lock()
	n := 0
	for n < len(s.effects.pending) && now-s.effects.pending[n].at >= effectAfter {
		n++
	}
	due := s.effects.pending[:n:n]
	s.effects.pending = s.effects.pending[n:]
	s.effects.mu.Unlock()
	if n == 0 {
		return
	}
	after := s.window.sum(now)
	for _, a := range due {
		a.tell(&after)
	}
}

// tell emits an act's effect.
func (a *act) tell(after *Stats) {
	var r log.Record
	r.SetEventName(semconv.EventRouteEffect)
	r.SetSeverity(log.SeverityInfo)
	r.AddAttributes(a.attrs...)
	r.AddAttributes(
		attribute.String(semconv.RouteAct, a.event),
		attribute.Float64(semconv.RouteErrorsBefore, a.before.ErrorRatio()),
		attribute.Float64(semconv.RouteErrorsAfter, after.ErrorRatio()),
		attribute.Float64(semconv.RouteP99Before, a.before.Latency.Quantile(0.99)),
		attribute.Float64(semconv.RouteP99After, after.Latency.Quantile(0.99)),
		attribute.Int64(semconv.RouteRequestsBefore, int64(a.before.Attempts)), //nolint:gosec // far below 2^63
		attribute.Int64(semconv.RouteRequestsAfter, int64(after.Attempts)),     //nolint:gosec // far below 2^63
	)
	otel.GetLoggerProvider().Logger(semconv.RouteScope).Emit(context.Background(), r)
}
