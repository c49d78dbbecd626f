// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/trace"
)

const (
	// DefaultAllowSample is the share of decisions that allow which are logged. All
	// that deny are.
	DefaultAllowSample = 0.01

	// logQueue is how many decisions wait to be logged, at most. What is beyond is
	// counted and dropped: a log never keeps a request waiting.
	logQueue = 4096

	// logPause is how long a decision may wait in the queue although there is time.
	logPause = 20 * time.Millisecond

	// maxText bounds what a request puts into an event.
	maxText = 256

	// maxLogged bounds an input in an event, in bytes.
	maxLogged = 8 << 10
)

// WithAllowSample sets the share of decisions that allow which are logged, 0 to 1
// ([DefaultAllowSample]).
func WithAllowSample(share float64) Option {
	return func(e *Engine) { e.log.sample = min(max(share, 0), 1) }
}

// WithLoggedInputs puts the input of each logged decision into its event, masked: what
// is named like a secret is left out, and what the bundle's set data.system.log.mask
// names, as OPA's decision logs do (JSON pointers below /input). When that set cannot be
// evaluated, the input is left out as a whole.
func WithLoggedInputs() Option { return func(e *Engine) { e.log.inputs = true } }

// decisionLog makes events of decisions, in a goroutine of its own.
type decisionLog struct {
	tel           *telemetry
	sample        float64
	inputs        bool
	queue         chan entry
	closing, done chan struct{}
	mu            sync.RWMutex // held for reading by those who add, for writing by close
	closed        bool
}

// entry is a decision on its way into an event.
type entry struct {
	decision Decision
	failure  string
	subject  Entity
	action   string
	resource Entity
	span     trace.SpanContext
	input    []byte
}

func newDecisionLog(tel *telemetry) *decisionLog {
	return &decisionLog{tel: tel, sample: DefaultAllowSample, queue: make(chan entry, logQueue), closing: make(chan struct{}), done: make(chan struct{})}
}

func (l *decisionLog) start() {
	go func() {
		defer close(l.done)
		for e := range l.queue {
			l.emit(&e)
			for range len(l.queue) {
				e := <-l.queue
				l.emit(&e)
			}
			// While nobody waits at the queue, a decision that is put there wakes nobody,
			// which would take longer than the decision did.
			select {
			case <-time.After(logPause):
			case <-l.closing:
			}
		}
	}()
}

// close waits until all that was taken is an event.
func (l *decisionLog) close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
		close(l.closing)
	}
	l.mu.Unlock()
	<-l.done
}

func (l *decisionLog) add(ctx context.Context, s *Snapshot, d *Decision, err error, in *Input) {
	if d.Allow && (l.sample == 0 || rand.Float64() >= l.sample) { //nolint:gosec // a sample, not a secret
		return
	}
	l.keep(ctx, s, d, err, in)
}

// keep is apart from add, so that a decision that is not logged costs nothing.
func (l *decisionLog) keep(ctx context.Context, s *Snapshot, d *Decision, err error, in *Input) {
	e := entry{
		decision: *d, span: trace.SpanContextFromContext(ctx),
		subject: Entity{Type: short(in.Subject.Type), ID: short(in.Subject.ID)}, action: short(in.Action.Name),
		resource: Entity{Type: short(in.Resource.Type), ID: short(in.Resource.ID)},
	}
	if err != nil {
		e.failure = short(err.Error())
	}
	if l.inputs && !outsized(in) { // now: the caller may change it once it has its answer
		e.input = masked(s, in)
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return
	}
	select {
	case l.queue <- e:
	default:
		l.tel.suppressed.Add(context.Background(), 1)
	}
}

func (l *decisionLog) emit(e *entry) {
	d := &e.decision
	severity := log.SeverityInfo
	attrs := []attribute.KeyValue{
		attribute.String(semconv.PolicyDecisionID, d.ID.String()),
		attribute.String(semconv.PolicyEntrypoint, short(d.Entrypoint)),
		attribute.String(semconv.PolicyOutcome, string(d.Outcome)),
		attribute.String(semconv.PolicyRule, short(d.Rule)),
		attribute.String(semconv.PolicyBundle, d.Bundle),
		attribute.String(semconv.PolicyRevision, d.Revision),
		attribute.String(semconv.PolicySubjectType, e.subject.Type),
		attribute.String(semconv.PolicySubjectID, e.subject.ID),
		attribute.String(semconv.PolicyAction, e.action),
		attribute.String(semconv.PolicyResource, e.resource.Type),
		attribute.String(semconv.PolicyResourceID, e.resource.ID),
	}
	if d.Cached {
		attrs = append(attrs, attribute.Bool(semconv.PolicyCached, true))
	}
	if e.failure != "" {
		severity = log.SeverityError
		attrs = append(attrs, attribute.String("error.message", e.failure))
	}
	if e.input != nil {
		attrs = append(attrs, attribute.String(semconv.PolicyInput, string(e.input)))
	}
	emit(trace.ContextWithSpanContext(context.Background(), e.span), semconv.EventPolicyDecide, severity, attrs...)
}

// masked returns an input as JSON without its secrets; nil when it is too large, or
// cannot be masked.
func masked(s *Snapshot, in *Input) []byte {
	text, err := json.Marshal(*in)
	if err != nil || len(text) > maxLogged {
		return nil
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil
	}
	pointers, err := s.masks(doc)
	if err != nil {
		return nil
	}
	hide(doc)
	for _, p := range pointers {
		remove(doc, p)
	}
	text, err = json.Marshal(doc)
	if err != nil {
		return nil
	}
	return text
}
