// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/otelplat/platform/internal/wake"
)

// Memory returns a registry in this process: for tests, and for a program alone. An
// instance is found as soon as Register returns. Nothing vanishes from it but what
// was closed, so that nothing is ever held as unconfirmed.
func Memory() Registry { return &memory{announced: make(map[string]announcement)} }

type memory struct {
	mu        sync.Mutex
	announced map[string]announcement // by service and id; the last one counts, as in etcd
	table     Table                   // of announced, for readers
}

type announcement struct {
	Instance
	by *memoryRegistration
}

func (m *memory) announce(in Instance, by *memoryRegistration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.announced[in.Service+"/"+in.ID] = announcement{in, by}
	m.show()
}

// withdraw removes an announcement that is still the registration's own.
func (m *memory) withdraw(in Instance, by *memoryRegistration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if key := in.Service + "/" + in.ID; m.announced[key].by == by {
		delete(m.announced, key)
		m.show()
	}
}

// show makes the table of what is announced. The caller holds the lock.
func (m *memory) show() {
	instances := make([]Instance, 0, len(m.announced))
	for _, a := range m.announced {
		instances = append(instances, a.Instance)
	}
	_ = m.table.Set(instances...) // each was checked
}

// Register implements [Registry].
func (m *memory) Register(ctx context.Context, in Instance, opts ...RegisterOption) (Registration, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("discovery: register: %w", err)
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	r := &memoryRegistration{place: m, instance: in, options: registerWith(opts), stop: func() {}, done: make(chan struct{})}
	r.announce()
	if r.options.status == nil {
		close(r.done)
		return r, nil
	}
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	r.stop = cancel
	go r.run(run)
	return r, nil
}

// Directory implements [Registry].
func (m *memory) Directory(ctx context.Context, opts ...DirectoryOption) (Directory, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("discovery: directory: %w", err)
	}
	d := &memoryDirectory{Table: &m.table}
	for _, o := range opts {
		o(&d.options)
	}
	d.ctx, d.end = context.WithCancel(context.Background()) // ends with Close
	if d.options.verdicts.Updates != nil {
		judged := d.options.verdicts.Updates(d.ctx)
		d.wg.Go(func() {
			for range judged {
				m.table.updates.Notify()
			}
		})
	}
	if d.options.events {
		o := newObserver()
		look := func() {
			services := make(map[string][]Member)
			for _, s := range d.Services() {
				services[s] = d.Members(s)
			}
			o.observe(time.Now(), services, func(string, string) bool { return false }) // in memory all say that they go
		}
		look()
		updates := m.table.updates.Add(d.ctx, wake.Always)
		d.wg.Go(func() {
			for range updates {
				look()
			}
		})
	}
	return d, nil
}

type memoryRegistration struct {
	place   *memory
	options registerOptions
	once    sync.Once
	stop    context.CancelFunc
	done    chan struct{}

	mu       sync.Mutex
	instance Instance
	version  int // of instance
	closed   bool
}

// run asks for the status at each renewal that there would be, and when it changed.
func (r *memoryRegistration) run(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(r.options.ttl / 3)
	defer tick.Stop()
	told := r.options.told(ctx)
	for {
		select {
		case <-tick.C:
		case _, open := <-told:
			if !open {
				told = nil // who told has ended; the ticks ask
			}
		case <-ctx.Done():
			return
		}
		r.announce()
	}
}

// announce makes the instance as it is now the one that is found. The status is
// asked for without the lock: it is the caller's code.
func (r *memoryRegistration) announce() {
	for {
		r.mu.Lock()
		in, version := r.instance, r.version
		r.mu.Unlock()
		in.Status = r.options.of(in)
		if r.show(in, version) {
			return
		}
	}
}

// show announces what was made of a version, unless that changed meanwhile.
func (r *memoryRegistration) show(in Instance, version int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return true
	case r.version != version:
		return false
	}
	r.place.announce(in, r)
	return true
}

func (r *memoryRegistration) Registered() <-chan struct{} { return always }

// always is closed: in memory an instance is announced when Register returns.
var always = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (r *memoryRegistration) Update(f func(*Instance)) error {
	r.mu.Lock()
	next := r.instance
	r.mu.Unlock()
	if err := next.change(f); err != nil {
		return err
	}
	r.mu.Lock()
	r.instance = next
	r.version++
	r.mu.Unlock()
	r.announce()
	return nil
}

func (r *memoryRegistration) Drain() error {
	return r.Update(func(in *Instance) { in.Status = Draining })
}

func (r *memoryRegistration) Close(context.Context) error {
	r.once.Do(func() {
		r.stop()
		<-r.done
		r.mu.Lock()
		defer r.mu.Unlock()
		r.closed = true
		r.place.withdraw(r.instance, r)
	})
	return nil
}

// memoryDirectory reads the registry's table until it is closed.
type memoryDirectory struct {
	*Table

	options directoryOptions
	ctx     context.Context // ends with Close: the owner's lifetime
	end     context.CancelFunc
	wg      sync.WaitGroup
}

func (d *memoryDirectory) Members(service string) []Member {
	members := d.Table.Members(service)
	if d.options.verdicts.Bad != nil {
		members = slices.Clone(members)
		d.options.verdicts.contradict(members)
	}
	return members
}

func (d *memoryDirectory) Updates(ctx context.Context) <-chan struct{} {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.ctx, cancel)
	context.AfterFunc(ctx, func() { stop() })
	return d.updates.Add(ctx, wake.Always)
}

func (d *memoryDirectory) Close() error {
	d.end()
	d.wg.Wait()
	return nil
}

var (
	_ Directory    = (*Table)(nil)
	_ Directory    = (*directory)(nil)
	_ Registration = (*registration)(nil)
)
