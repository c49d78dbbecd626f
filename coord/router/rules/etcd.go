// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/versioned"
)

// Etcd returns the documents config/route.<service> of etcd, each followed when it is asked
// for. It neither blocks nor needs etcd to be there; with a state directory it starts from
// what was held before. Own are the names of the policies that the router has beside those
// of this package. The caller closes it before the client.
func Etcd(c *coord.Client, own ...string) Source {
	return &etcdSource{client: c, own: slices.Clone(own), services: make(map[string]*etcdFollower)}
}

type etcdSource struct {
	client *coord.Client
	own    []string

	mu       sync.Mutex
	services map[string]*etcdFollower
	closed   bool
}

func (s *etcdSource) Follow(ctx context.Context, service string) (Follower, error) {
	if err := checkService(service); err != nil {
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
	h, err := newHolder(service, s.own)
	if err != nil {
		return nil, err
	}
	// To follow starts goroutines and returns: no I/O under the lock.
	document, err := versioned.Follow(ctx, s.client, versioned.Config, DocumentName(service))
	if err != nil {
		return nil, fmt.Errorf("rules: service %q: %w", service, err)
	}
	f := &etcdFollower{holder: h, document: document, done: make(chan struct{})}
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
		errs = append(errs, f.close())
	}
	return errors.Join(errs...)
}

// etcdFollower compiles each new revision of one document in a goroutine of its own.
type etcdFollower struct {
	*holder
	document *versioned.Follower
	done     chan struct{}
}

// run ends when the document is followed no more.
func (f *etcdFollower) run() {
	defer close(f.done)
	defer f.updates.Close()
	var seen versioned.Revision
	for range f.document.Updates(context.Background()) {
		doc, exists := f.document.Current()
		switch now := doc.Revision; {
		case !exists:
			f.withdraw()
		case now.Number != seen.Number || now.Hash != seen.Hash: // after a restore one number may be another content
			f.offer(now.Number, doc.Content)
		}
		seen = doc.Revision
	}
}

func (f *etcdFollower) State() State {
	s := f.holder.State()
	s.Age = f.document.Age()
	return s
}

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
		return fmt.Errorf("rules: document of service %q not loaded: %w", f.service, ctx.Err())
	}
}

func (f *etcdFollower) close() error {
	err := f.document.Close()
	<-f.done
	return err
}
