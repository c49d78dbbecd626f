// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/coord/mirror"
)

// root is where elections are in the namespace.
const root = "election"

// formatVersion is the version of the value's JSON.
const formatVersion = 1

// maxObserved bounds the elections that one process follows.
const maxObserved = 1000

// value is what a candidate's key says.
type value struct {
	V       int    `json:"v"`
	ID      string `json:"id"`
	Address string `json:"address,omitempty"`
}

// Option configures [Open].
type Option func(*config)

type config struct{ ttl time.Duration }

// WithTTL sets how long a leader that vanished keeps others from leading
// ([lock.DefaultTTL], at least [lock.MinTTL], whole seconds).
func WithTTL(ttl time.Duration) Option { return func(c *config) { c.ttl = ttl } }

// Open returns an elector on etcd for one candidate. It does nothing before the first
// call. Close it before the client. Errors are [*coord.NameError] and
// [*CandidateError].
func Open(c *coord.Client, me Candidate, opts ...Option) (Elector, error) {
	if err := me.check(); err != nil {
		return nil, err
	}
	cfg := config{ttl: lock.DefaultTTL}
	for _, o := range opts {
		o(&cfg)
	}
	owner, err := json.Marshal(value{formatVersion, me.ID, me.Address})
	if err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	return &etcdElector{
		client: c, me: me, observed: make(map[string]*mirror.Mirror[Candidate]), closed: make(chan struct{}),
		locks: lock.Open(c, lock.WithRoot(root), lock.WithOwner(owner), lock.WithTTL(cfg.ttl)),
	}, nil
}

type etcdElector struct {
	client *coord.Client
	me     Candidate
	locks  lock.Locker
	wg     sync.WaitGroup

	standings standings

	mu       sync.Mutex
	observed map[string]*mirror.Mirror[Candidate]
	closed   chan struct{}
}

func (e *etcdElector) Campaign(ctx context.Context, name string) (*Leadership, error) {
	l, err := campaign(ctx, e.locks, &e.standings, name)
	if err != nil {
		return nil, err
	}
	led(ctx, name, e.me, l)
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.closed:
		return nil, ErrClosed // and with it the lock
	default:
	}
	e.wg.Go(func() { watch(name, e.me, l, e.closed) })
	return l, nil
}

// follow returns the mirror of an election, which is opened when it is asked for first.
func (e *etcdElector) follow(ctx context.Context, name string) (*mirror.Mirror[Candidate], error) {
	if err := coord.CheckName("election", name); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.closed:
		return nil, ErrClosed
	default:
	}
	if m := e.observed[name]; m != nil {
		return m, nil
	}
	if len(e.observed) >= maxObserved {
		return nil, fmt.Errorf("election: %d elections are followed already, %q exceeds the limit", maxObserved, name)
	}
	// Opening a mirror starts its goroutine and returns: no I/O under the lock.
	m, err := mirror.Open(ctx, e.client, root+"/"+name+"/", decode)
	if err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	e.observed[name] = m
	return m, nil
}

func decode(_ string, raw []byte) (Candidate, error) {
	var v value
	if err := json.Unmarshal(raw, &v); err != nil {
		return Candidate{}, fmt.Errorf("election: %w", err)
	}
	if v.V != formatVersion {
		return Candidate{}, fmt.Errorf("election: candidate of format version %d, this program reads %d", v.V, formatVersion)
	}
	c := Candidate{v.ID, v.Address}
	return c, c.check()
}

// leader is the candidate whose key is the oldest. A key is written once.
func leader(m *mirror.Mirror[Candidate]) Leader {
	var first Leader
	view := m.View()
	for key, c := range view.All() {
		if term := view.ModRevision(key); first.Term == 0 || term < first.Term {
			first = Leader{c, term}
		}
	}
	return first
}

func (e *etcdElector) Leader(ctx context.Context, name string) (Leader, error) {
	m, err := e.follow(ctx, name)
	if err != nil {
		return Leader{}, err
	}
	if err := m.WaitReady(ctx); err != nil {
		if errors.Is(err, mirror.ErrClosed) {
			err = ErrClosed
		}
		return Leader{}, fmt.Errorf("election: %q: %w", name, err)
	}
	l := leader(m)
	if l.Term == 0 {
		return l, fmt.Errorf("%w: %q", ErrNoLeader, name)
	}
	return l, nil
}

func (e *etcdElector) Status(name string) Status { return e.standings.status(name) }

func (e *etcdElector) Observe(ctx context.Context, name string) (<-chan Leader, error) {
	m, err := e.follow(ctx, name)
	if err != nil {
		return nil, err
	}
	return observe(m.Updates(ctx), func() (Leader, bool) { return leader(m), m.Revision() > 0 }, &e.wg), nil
}

func (e *etcdElector) Close() error {
	e.mu.Lock()
	first := e.observed != nil
	if first {
		close(e.closed)
	}
	mirrors := e.observed
	e.observed = nil
	e.mu.Unlock()
	var errs []error
	if first {
		errs = append(errs, e.locks.Close())
		for _, m := range mirrors {
			errs = append(errs, m.Close())
		}
	}
	e.wg.Wait()
	return errors.Join(errs...)
}

// observe sends the newest leader after each update, when it is another one.
func observe(updates <-chan struct{}, now func() (Leader, bool), wg *sync.WaitGroup) <-chan Leader {
	to := make(chan Leader, 1)
	wg.Go(func() {
		defer close(to)
		var last Leader
		for first := true; ; {
			if l, known := now(); known && (first || l != last) {
				first, last = false, l
				select {
				case <-to: // what nobody took is old
				default:
				}
				to <- l // this is the only sender, so there is room
			}
			if _, open := <-updates; !open {
				return
			}
		}
	})
	return to
}
