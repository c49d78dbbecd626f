// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
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
	lease   *lease

	mu       sync.Mutex
	instance Instance // as it is to be announced

	changed    chan struct{} // capacity 1: the instance changed
	registered chan struct{} // closed at the first success
	once       sync.Once
	closing    sync.Once
	closed     error
	cancel     context.CancelFunc
	done       chan struct{}

	// What run put last; of Close after it.
	grant     grant  // under which
	announced string // as etcd has it, "" when nothing is known to be there
	revision  int64  // of that
	uncertain bool   // a later put was not answered
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
		options: registerWith(opts), instance: in,
		changed: make(chan struct{}, 1), registered: make(chan struct{}), done: make(chan struct{}),
	}
	r.lease = acquireLease(e.client, r.options.ttl)
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
	r.closing.Do(func() {
		r.cancel()
		<-r.done
		if err := errors.Join(r.withdraw(ctx), r.lease.release(ctx)); err != nil {
			r.closed = fmt.Errorf("discovery: deregister %s: %w", r.instance.ID, err)
		}
	})
	return r.closed
}

// withdraw says that the instance goes down and deletes its key, if it is its own: another
// with the same id may have written it since.
func (r *registration) withdraw(ctx context.Context) error {
	if r.grant.id == clientv3.NoLease {
		return nil // it never was announced
	}
	etcd := r.client.Etcd()
	there, err := etcd.Get(ctx, r.key) // a list of keys alone does not tell their leases
	if err != nil {
		return err
	}
	if len(there.Kvs) == 0 {
		return nil
	}
	kv := there.Kvs[0]
	if own := kv.ModRevision == r.revision || r.uncertain; !own || clientv3.LeaseID(kv.Lease) != r.grant.id {
		return nil
	}
	in := r.current()
	in.Status = Down
	raw, err := encode(in, r.grant)
	if err != nil {
		return err
	}
	// Down first: a watcher cannot tell a delete from an expiry.
	down, err := etcd.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(r.key), "=", kv.ModRevision)).
		Then(clientv3.OpPut(r.key, string(raw), clientv3.WithIgnoreLease())).Commit()
	if err != nil || !down.Succeeded {
		return err
	}
	_, err = etcd.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(r.key), "=", down.Header.Revision)).
		Then(clientv3.OpDelete(r.key)).Commit()
	return err
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

// run announces the instance under each lease that there is.
func (r *registration) run(ctx context.Context) {
	defer close(r.done)
	told := r.options.told(ctx)
	retry := minRetry
	for {
		now, changed := r.lease.current()
		if now.id == clientv3.NoLease {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return
			}
		}
		if r.grant != now {
			r.grant, r.announced, r.uncertain = now, "", false
		}
		err := r.keep(ctx, changed, &told)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			retry = minRetry
			continue // there is another lease
		}
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			r.lease.lost(now.id)
		}
		r.client.Logger().DebugContext(ctx, "discovery: registering again", "key", r.key, "error", err)
		if !pause(ctx, r.client, retry) {
			return
		}
		retry = min(2*retry, maxRetry)
	}
}

// keep announces the instance, and again when it changed. With each renewal of the lease
// it looks whether the key is still there: an operator may have deleted it. It returns nil
// when there is another lease.
func (r *registration) keep(ctx context.Context, changed <-chan struct{}, told *<-chan struct{}) error {
	tick := time.NewTicker(r.grant.ttl / 3)
	defer tick.Stop()
	for {
		if err := r.announce(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			return nil
		case <-tick.C:
		case <-r.changed:
		case _, open := <-*told:
			if !open {
				*told = nil // who told has ended; the ticks ask
			}
		}
	}
}

// announce puts the key, unless it is there as it should be.
func (r *registration) announce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(requestTimeout, r.grant.ttl/3))
	defer cancel()
	raw, err := encode(r.current(), r.grant)
	if err != nil {
		return err
	}
	first := r.announced == ""
	if string(raw) == r.announced && !r.uncertain {
		resp, err := r.client.Etcd().Get(ctx, r.key, clientv3.WithKeysOnly(), clientv3.WithSerializable())
		if err != nil || len(resp.Kvs) > 0 {
			return err
		}
	}
	r.uncertain = true
	resp, err := r.client.Etcd().Put(ctx, r.key, string(raw), clientv3.WithLease(r.grant.id))
	if err != nil {
		return err
	}
	r.announced, r.revision, r.uncertain = string(raw), resp.Header.Revision, false
	if first {
		r.tell(ctx)
	}
	return nil
}

// tell says that the instance is registered.
func (r *registration) tell(ctx context.Context) {
	r.once.Do(func() { close(r.registered) })
	in := r.current()
	var e log.Record
	e.SetEventName(semconv.EventDiscoveryRegister)
	e.SetSeverity(log.SeverityInfo)
	e.AddAttributes(attribute.String(semconv.DiscoveryService, in.Service), attribute.String(semconv.DiscoveryInstance, in.ID))
	otel.GetLoggerProvider().Logger(scope).Emit(ctx, e)
}
