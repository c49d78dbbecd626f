// SPDX-License-Identifier: Apache-2.0

package override

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/mirror"
)

const (
	// progressInterval keeps the age of a quiet mirror well below StaleAfter.
	progressInterval = 3 * time.Second

	// lookInterval is how exactly a reader ends overrides by its own clock.
	lookInterval = time.Second
)

// Etcd returns the overrides in etcd, each service's followed with a mirror of its own. It
// neither blocks nor needs etcd to be there. The caller closes it before the client.
func Etcd(c *coord.Client) Source {
	return &etcdSource{client: c, services: make(map[string]*etcdFollower)}
}

type etcdSource struct {
	client *coord.Client

	mu       sync.Mutex
	services map[string]*etcdFollower
	closed   bool
}

func (s *etcdSource) Follow(ctx context.Context, service string) (Follower, error) {
	if err := coord.CheckName("service", service); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := s.services[service]; {
	case s.closed:
		return nil, ErrClosed
	case f != nil:
		return f, nil
	case len(s.services) >= maxServices:
		return nil, &TooManyError{Service: service, Limit: maxServices}
	}
	// Opening a mirror starts its goroutine and returns: no I/O under the lock.
	m, err := mirror.Open(ctx, s.client, Prefix(service), func(target string, raw []byte) (Override, error) {
		return decode(service, target, raw)
	}, mirror.WithProgressInterval(progressInterval))
	if err != nil {
		return nil, fmt.Errorf("override: service %q: %w", service, err)
	}
	f := &etcdFollower{mirror: m, started: time.Now(), loaded: make(chan struct{}), done: make(chan struct{})}
	s.services[service] = f
	go f.run()
	return f, nil
}

func (s *etcdSource) Close() error {
	s.mu.Lock()
	s.closed = true
	followers := s.services
	s.services = nil
	s.mu.Unlock()
	var errs []error
	for _, f := range followers {
		errs = append(errs, f.mirror.Close())
		<-f.done
	}
	return errors.Join(errs...)
}

// etcdFollower looks at one mirror in a goroutine of its own.
type etcdFollower struct {
	holder
	mirror  *mirror.Mirror[Override]
	ledger  ledger
	started time.Time
	loaded  chan struct{}
	done    chan struct{}
}

// run ends when the mirror does.
func (f *etcdFollower) run() {
	defer close(f.done)
	defer f.updates.Close()
	updates := f.mirror.Updates(context.Background())
	var again <-chan time.Time // while something can end by this process's clock
	for first := true; ; first = false {
		select {
		case _, open := <-updates:
			if !open {
				return
			}
		case <-again:
		}
		f.look()
		if first {
			close(f.loaded)
			f.updates.Notify()
		}
		again = nil
		if len(f.ledger.received) > 0 {
			again = time.After(lookInterval)
		}
	}
}

func (f *etcdFollower) look() {
	view := f.mirror.View()
	there := make(map[string]seen, view.Len())
	for target, o := range view.All() {
		there[target] = seen{o, write{view.Epoch(), view.ModRevision(target)}}
	}
	stale, why := f.mirror.Age() > StaleAfter, endedInEtcd
	if stale {
		why = endedByClock
	}
	f.publish(f.ledger.look(there, time.Since(f.started), stale), why)
}

func (f *etcdFollower) Age() time.Duration { return f.mirror.Age() }

func (f *etcdFollower) WaitReady(ctx context.Context) error {
	select {
	case <-f.loaded:
		return nil
	default:
	}
	select {
	case <-f.loaded:
		return nil
	case <-f.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("override: not loaded: %w", ctx.Err())
	}
}

func (f *etcdFollower) Updates(ctx context.Context) <-chan struct{} {
	return f.updates.Add(ctx, func() bool {
		select {
		case <-f.loaded:
			return true
		default:
			return false
		}
	})
}
