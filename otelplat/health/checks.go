// SPDX-License-Identifier: Apache-2.0

package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/wake"
	"go.opentelemetry.io/otel/metric"
)

// slow is from when on a run is logged.
const slow = time.Second

// ErrClosed is returned after Shutdown.
var ErrClosed = errors.New("health: closed")

// Checks runs the checks of one service. All methods are safe for concurrent use.
//
// One goroutine, the scheduler, owns all that changes; a run of a check is a goroutine
// that only sends its result. Readers load an immutable [Report].
type Checks struct {
	log    *slog.Logger
	meters metric.MeterProvider
	tel    *telemetry

	report  atomic.Pointer[Report]
	updates wake.Set

	ctx    context.Context // of all runs; ends with Shutdown
	cancel context.CancelFunc
	done   chan struct{} // the scheduler has ended
	poke   chan struct{} // something was added, or Drain was called
	ended  chan run      // runs that returned

	mu       sync.Mutex // of what follows; never held while a check runs
	checks   map[string]*check
	beats    map[string]*Heartbeat
	draining bool
	closed   bool
	changes  []change // to be told after the lock is given back
}

// change is another status of a check, or of the whole when it has no name.
type change struct {
	check    string
	from, to Status
	text     string
}

// unlock gives the lock back and tells of what changed.
func (c *Checks) unlock() {
	changes := c.changes
	c.changes = nil
	c.mu.Unlock()
	for _, ch := range changes {
		c.tel.changed(ch)
	}
}

// check is one check. The scheduler owns it.
type check struct {
	settings
	f       Check
	result  Result
	due     time.Time // of the next run
	running bool
	started time.Time
	cancel  context.CancelFunc // of the run
	gaveUp  bool               // on the run that goes on
}

// run is a run of a check that returned.
type run struct {
	of   *check
	took time.Duration
	err  error
}

// Option configures [New].
type Option func(*Checks)

// WithLogger sets the logger; [slog.Default] otherwise.
func WithLogger(l *slog.Logger) Option { return func(c *Checks) { c.log = l } }

// WithMeterProvider sets where the metrics go; the global provider otherwise.
func WithMeterProvider(p metric.MeterProvider) Option { return func(c *Checks) { c.meters = p } }

// New returns checks, of which there are none yet: the service is up. It owns a
// goroutine until Shutdown.
func New(opts ...Option) *Checks {
	c := &Checks{
		log: slog.Default(), checks: make(map[string]*check), beats: make(map[string]*Heartbeat),
		done: make(chan struct{}), poke: make(chan struct{}, 1), ended: make(chan run, MaxChecks),
	}
	for _, o := range opts {
		o(c)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.report.Store(&Report{Status: Up, Since: time.Now()})
	c.tel = newTelemetry(c)
	go c.schedule()
	return c
}

// Add adds a check, which runs at once. It returns an [*Error] for a name that is
// taken or cannot be used, an option out of its limits, or too many checks.
func (c *Checks) Add(name string, f Check, opts ...CheckOption) error {
	s := settings{interval: DefaultInterval, timeout: DefaultTimeout, threshold: DefaultThreshold, severity: Critical}
	for _, o := range opts {
		o(&s)
	}
	if err := errors.Join(checkName(name), s.check()); err != nil {
		return err
	}
	if f == nil {
		return invalid("check", "is nil")
	}
	c.mu.Lock()
	defer c.unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.checks[name] != nil:
		return invalid("name", "%q is taken", name)
	case len(c.checks) >= MaxChecks:
		return invalid("checks", "are %d already, %q exceeds the limit", MaxChecks, name)
	}
	now := time.Now()
	c.checks[name] = &check{settings: s, f: f, due: now, result: Result{Name: name, Severity: s.severity, Status: Starting, Since: now}}
	c.publish(now)
	c.wakeUp()
	return nil
}

// Drain says that the service ends soon: it is no longer ready, and still alive.
func (c *Checks) Drain() {
	c.mu.Lock()
	defer c.unlock()
	c.draining = true
	c.publish(time.Now())
}

// Report returns what is known of all checks.
func (c *Checks) Report() *Report { return c.report.Load() }

// Status returns how the whole stands.
func (c *Checks) Status() Status { return c.Report().Status }

// Updates returns a channel that holds a mark after the status of a check or the
// whole changed, until the context ends or Shutdown, which close it.
func (c *Checks) Updates(ctx context.Context) <-chan struct{} { return c.updates.Add(ctx, nil) }

// Shutdown ends the checks' contexts and waits for the runs. When the context ends
// first, it returns an error that names the checks that have not returned.
func (c *Checks) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var hanging []string
	for name, k := range c.checks {
		if k.running {
			hanging = append(hanging, name)
		}
	}
	slices.Sort(hanging)
	return fmt.Errorf("health: still running: %s: %w", strings.Join(hanging, ", "), ctx.Err())
}

func (c *Checks) wakeUp() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// schedule starts runs when they are due, gives up those that take too long, and
// takes their results, until Shutdown and the last run have ended.
func (c *Checks) schedule() {
	defer close(c.done)
	defer c.updates.Close()
	defer c.tel.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, running := c.step(time.Now())
		if c.ctx.Err() != nil && running == 0 {
			return
		}
		timer.Reset(time.Until(next))
		stop := c.ctx.Done()
		if c.ctx.Err() != nil {
			stop = nil // it is known; the runs are waited for
		}
		select {
		case r := <-c.ended:
			c.took(r)
		case <-timer.C:
		case <-c.poke:
		case <-stop:
		}
	}
}

// step starts and gives up what is due, and returns when the next step is.
func (c *Checks) step(now time.Time) (next time.Time, running int) {
	c.mu.Lock()
	defer c.unlock()
	next = now.Add(maxInterval)
	changed := false
	for _, k := range c.checks {
		if k.running && !k.gaveUp && !now.Before(k.started.Add(k.timeout)) {
			k.gaveUp = true
			c.fail(k, now, fmt.Sprintf("no answer within %v", k.timeout), "timeout")
			changed = true
		}
		if !now.Before(k.due) && c.ctx.Err() == nil {
			k.due = now.Add(jittered(k.interval))
			switch {
			case !k.running:
				c.start(k, now)
			case k.gaveUp: // it still hangs: another failure, and no second run
				c.fail(k, now, fmt.Sprintf("no answer for %v", now.Sub(k.started).Round(time.Second)), "timeout")
				changed = true
			}
		}
		if k.running {
			running++
			if !k.gaveUp {
				next = earlier(next, k.started.Add(k.timeout))
			}
		}
		if c.ctx.Err() == nil {
			next = earlier(next, k.due)
		}
	}
	if changed {
		c.publish(now)
	}
	return next, running
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// jittered is an interval, a tenth more or less, so that the checks of a fleet that
// started together do not all ask at the same moment.
func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // a delay, not a secret
}

// start runs a check. The checks are locked.
func (c *Checks) start(k *check, now time.Time) {
	ctx, cancel := context.WithTimeout(c.ctx, k.timeout)
	k.running, k.gaveUp, k.started, k.cancel = true, false, now, cancel
	go func() {
		err := call(ctx, k.f)
		c.ended <- run{k, time.Since(now), err} // there is room for one of each
	}()
}

// call runs a check and makes a panic an error.
func call(ctx context.Context, f Check) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check panicked: %v", p)
		}
	}()
	return f(ctx)
}

// took takes the result of a run.
func (c *Checks) took(r run) {
	c.mu.Lock()
	defer c.unlock()
	k, now := r.of, time.Now()
	late := k.gaveUp
	k.running, k.gaveUp = false, false
	k.cancel()
	k.result.Duration, k.result.Hanging = r.took, false
	if r.took >= slow && c.ctx.Err() == nil {
		c.log.Warn("a health check is slow", slog.String("check", k.result.Name), slog.Duration("took", r.took))
	}
	switch {
	case c.ctx.Err() != nil: // it was told to stop: that says nothing
	case late: // it has failed already; the next run tells more
	case r.err != nil:
		c.fail(k, now, r.err.Error(), "error")
	default:
		k.result.At, k.result.Error, k.result.Failures = now, "", 0
		c.turn(k, Up, now)
	}
	c.publish(now)
}

// fail counts a failure. The checks are locked.
func (c *Checks) fail(k *check, now time.Time, text, reason string) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	k.result.At, k.result.Error, k.result.Hanging = now, text, k.running && k.gaveUp
	k.result.Failures++
	c.tel.failed(k.result.Name, reason)
	if k.result.Status == Starting || k.result.Failures >= k.threshold {
		c.turn(k, Down, now)
	}
}

// turn gives a check another status. The checks are locked.
func (c *Checks) turn(k *check, to Status, now time.Time) {
	from := k.result.Status
	if from == to {
		return
	}
	k.result.Status, k.result.Since = to, now
	c.changes = append(c.changes, change{k.result.Name, from, to, k.result.Error})
}

// publish makes what is known readable. The checks are locked.
func (c *Checks) publish(now time.Time) {
	r := &Report{Since: now, Checks: make([]Result, 0, len(c.checks))}
	for _, k := range c.checks {
		r.Checks = append(r.Checks, k.result)
	}
	slices.SortFunc(r.Checks, func(a, b Result) int { return cmp.Compare(a.Name, b.Name) })
	r.Status = whole(r.Checks, c.draining)
	last := c.report.Load()
	if r.Status == last.Status {
		r.Since = last.Since
	} else {
		c.changes = append(c.changes, change{"", last.Status, r.Status, ""})
	}
	c.report.Store(r)
	if r.Status != last.Status || !slices.EqualFunc(r.Checks, last.Checks, func(a, b Result) bool { return a.Name == b.Name && a.Status == b.Status }) {
		c.updates.Notify()
	}
}
