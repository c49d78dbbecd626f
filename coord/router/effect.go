// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/otelplat/platform/coord/router/acts"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
)

const (
	// effectAfter is how long after an act its effect is told: as long as the figures before
	// it are of, so that the two share no request.
	effectAfter = (windowSeconds + 1) * time.Second

	// maxEffects bounds the acts of a service whose effect is still to be told.
	maxEffects = 64

	// maxRecent bounds the acts of a service that are remembered for whoever asks: the
	// oldest make room.
	maxRecent = 32
)

// effects are the acts upon a service whose effect is to be told, and the last ones.
type effects struct {
	mu      sync.Mutex
	pending []pending
	recent  []*acts.Act // oldest first; their effects are written with mu held
}

// pending is an act, with the service's figures at the time.
type pending struct {
	act    *acts.Act
	at     time.Duration
	before Stats
}

// acted tells of an act and remembers it. When there are too many of them to tell the effect
// of each, it is one of the later ones whose effect is not told: what happened first explains
// the rest.
func (s *service) acted(a *acts.Act) {
	a.ID, a.At = acts.NewID(), time.Now()
	tell(a.Record())
	if s.effects.remember(a) && !a.Observed { // what was not done has no effect
		now := s.router.now()
		s.effects.await(pending{act: a, at: now, before: s.window.sum(now)})
	}
}

// remember keeps an act for whoever asks, and reports whether there is room to tell its effect.
func (e *effects) remember(a *acts.Act) (room bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.recent) == maxRecent {
		e.recent = slices.Delete(e.recent, 0, 1)
	}
	e.recent = append(e.recent, a)
	return len(e.pending) < maxEffects
}

func (e *effects) await(p pending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.pending) < maxEffects {
		e.pending = append(e.pending, p)
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
	for i := range due {
		effect := effectOf(&due[i].before, &after)
		s.effects.mu.Lock()
		due[i].act.Effect = effect
		s.effects.mu.Unlock()
		tell(due[i].act.EffectRecord(acts.NewID(), time.Now()))
	}
}

// recentActs returns the last acts upon the service, oldest first.
func (s *service) recentActs() []acts.Act {
	s.effects.mu.Lock()
	defer s.effects.mu.Unlock()
	list := make([]acts.Act, len(s.effects.recent))
	for i, a := range s.effects.recent {
		list[i] = *a
	}
	return list
}

func effectOf(before, after *Stats) *acts.Effect {
	return &acts.Effect{
		ErrorsBefore: before.ErrorRatio(), ErrorsAfter: after.ErrorRatio(),
		P99Before: p99(before), P99After: p99(after),
		RequestsBefore: before.Attempts, RequestsAfter: after.Attempts,
	}
}

func p99(s *Stats) time.Duration {
	return time.Duration(s.Latency.Quantile(0.99) * float64(time.Second))
}

func tell(r log.Record) {
	otel.GetLoggerProvider().Logger(semconv.RouteScope).Emit(context.Background(), r)
}
