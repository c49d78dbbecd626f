// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"google.golang.org/grpc/connectivity"
)

const (
	requestTimeout = 3 * time.Second
	minRetry       = 200 * time.Millisecond

	// maxRetry keeps an instance findable soon after etcd is back, also when the
	// connection was there all the time: a quorum that was lost and is found.
	maxRetry = time.Second
)

// registration keeps one instance announced in etcd.
type registration struct {
	client  *coord.Client
	key     string
	options registerOptions

	mu       sync.Mutex
	instance Instance // as it is to be announced

	changed    chan struct{} // capacity 1: the instance changed
	registered chan struct{} // closed at the first success
	once       sync.Once
	cancel     context.CancelFunc
	done       chan struct{}
	lease      clientv3.LeaseID // owned by run, and by Close after it
	granted    time.Duration    // the lease's TTL: etcd may grant more than was asked for
}

// Register implements [Registry]. It does not wait for etcd.
func (e etcdRegistry) Register(ctx context.Context, in Instance, opts ...RegisterOption) (Registration, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("discovery: register: %w", err)
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	r := &registration{
		client: e.client, key: e.client.Key("discovery", in.Service, in.ID),
		options: registerWith(opts), granted: DefaultTTL, instance: in,
		changed: make(chan struct{}, 1), registered: make(chan struct{}), done: make(chan struct{}),
	}
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	r.cancel = cancel
	go r.run(run)
	return r, nil
}

func (r *registration) Registered() <-chan struct{} { return r.registered }

func (r *registration) Update(f func(*Instance)) error {
	r.mu.Lock()
	next := r.instance
	r.mu.Unlock()
	if err := next.change(f); err != nil {
		return err
	}
	r.mu.Lock()
	r.instance = next
	r.mu.Unlock()
	r.poke()
	return nil
}

func (r *registration) Drain() error {
	return r.Update(func(in *Instance) { in.Status = Draining })
}

func (r *registration) Close(ctx context.Context) error {
	r.cancel()
	<-r.done
	if r.lease == clientv3.NoLease {
		return nil
	}
	lease := r.lease
	r.lease = clientv3.NoLease
	in := r.current()
	in.Status = Down
	raw, err := encode(in, r.granted)
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	etcd := r.client.Etcd()
	// Down first: a watcher cannot tell a delete from an expiry.
	_, err = etcd.Put(ctx, r.key, string(raw), clientv3.WithLease(lease))
	if err == nil {
		_, err = etcd.Revoke(ctx, lease) // deletes the key
	}
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return fmt.Errorf("discovery: deregister %s: %w", in.ID, err)
	}
	return nil
}

func (r *registration) poke() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// current returns the instance as it is to be announced now.
func (r *registration) current() Instance {
	r.mu.Lock()
	in := r.instance
	r.mu.Unlock()
	in.Status = r.options.of(in)
	return in
}

// run announces, renews, and begins again when lease or key are gone.
func (r *registration) run(ctx context.Context) {
	defer close(r.done)
	told := r.options.told(ctx)
	retry := minRetry
	for ctx.Err() == nil {
		announced, err := r.announce(ctx)
		if err == nil {
			retry = minRetry
			err = r.keep(ctx, announced, &told)
		}
		if ctx.Err() != nil {
			return
		}
		r.client.Logger().DebugContext(ctx, "discovery: registering again", "key", r.key, "error", err)
		if !r.pause(ctx, retry) {
			return
		}
		retry = min(2*retry, maxRetry)
	}
}

// pause waits for 0.5 to 1.5 times d, so that a fleet does not come back at once, or
// until a connection that is lost is back. It returns false when the context ended.
func (r *registration) pause(ctx context.Context, d time.Duration) bool {
	wait, cancel := context.WithTimeout(ctx, d/2+rand.N(d)) //nolint:gosec // spreads load, guards nothing
	defer cancel()
	conn := r.client.Etcd().ActiveConnection()
	for lost := false; ; {
		state := conn.GetState()
		switch {
		case state == connectivity.Idle:
			conn.Connect()
		case state == connectivity.Ready && lost:
			soon, cancel := context.WithTimeout(wait, rand.N(minRetry)) //nolint:gosec // as above
			<-soon.Done()
			cancel()
			return ctx.Err() == nil
		}
		lost = lost || state != connectivity.Ready
		if !conn.WaitForStateChange(wait, state) {
			return ctx.Err() == nil
		}
	}
}

// announce takes a lease and puts the key under it.
func (r *registration) announce(ctx context.Context) (string, error) {
	try, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	grant, err := r.client.Etcd().Grant(try, int64(r.options.ttl.Seconds()))
	if err != nil {
		return "", err
	}
	r.lease, r.granted = grant.ID, time.Duration(grant.TTL)*time.Second
	announced, err := r.put(try)
	if err != nil {
		return "", err
	}
	r.once.Do(func() { close(r.registered) })
	in := r.current()
	var e log.Record
	e.SetEventName(semconv.EventDiscoveryRegister)
	e.SetSeverity(log.SeverityInfo)
	e.AddAttributes(attribute.String(semconv.DiscoveryService, in.Service), attribute.String(semconv.DiscoveryInstance, in.ID))
	otel.GetLoggerProvider().Logger(scope).Emit(ctx, e)
	return announced, nil
}

func (r *registration) put(ctx context.Context) (string, error) {
	raw, err := encode(r.current(), r.granted)
	if err != nil {
		return "", err
	}
	_, err = r.client.Etcd().Put(ctx, r.key, string(raw), clientv3.WithLease(r.lease))
	return string(raw), err
}

// keep renews the lease until it is lost. Each renewal looks whether the key is
// still what was announced: an operator may have deleted it, or another process
// with the same id may have written it.
func (r *registration) keep(ctx context.Context, announced string, told *<-chan struct{}) error {
	tick := time.NewTimer(r.granted / 3)
	defer tick.Stop()
	retry := minRetry
	deadline := time.Now().Add(r.granted)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-r.changed:
		case _, open := <-*told:
			if !open {
				*told = nil // who told has ended; the renewals ask
			}
		}
		next, err := r.renew(ctx, announced)
		switch {
		case err == nil:
			announced, deadline, retry = next, time.Now().Add(r.granted), minRetry
			tick.Reset(r.granted / 3)
		case errors.Is(err, rpctypes.ErrLeaseNotFound), time.Now().After(deadline):
			return err
		default:
			if !r.pause(ctx, retry) {
				return ctx.Err()
			}
			retry = min(2*retry, maxRetry)
			tick.Reset(0)
		}
	}
}

func (r *registration) renew(ctx context.Context, announced string) (string, error) {
	try, cancel := context.WithTimeout(ctx, min(requestTimeout, r.granted/3))
	defer cancel()
	etcd := r.client.Etcd()
	if _, err := etcd.KeepAliveOnce(try, r.lease); err != nil {
		return "", err
	}
	want, err := encode(r.current(), r.granted)
	if err != nil {
		return "", err
	}
	if string(want) == announced {
		resp, err := etcd.Get(try, r.key, clientv3.WithKeysOnly(), clientv3.WithSerializable())
		if err != nil || len(resp.Kvs) > 0 {
			return announced, err
		}
	}
	return r.put(try)
}
