// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/mirror"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// root is where keys live, below the namespace.
const root = "kv/"

// Etcd returns the backend of the keys under kv/ of the client's namespace.
func Etcd(c *coord.Client, opts ...EtcdOption) Backend { return newEtcd(c, opts) }

type etcd struct {
	client *coord.Client
	leases leases

	closing context.Context // ends with Close: the owner's lifetime
	end     context.CancelFunc
	mu      sync.RWMutex // so that no watch and no copy begins while Close waits
	watches sync.WaitGroup
	copies  copies
}

func (e *etcd) key(key string) string { return e.client.Prefix() + root + key }

func (e *etcd) entry(kv *mvccpb.KeyValue) Entry {
	return Entry{
		Key:   strings.TrimPrefix(string(kv.Key), e.client.Prefix()+root),
		Value: kv.Value, Revision: kv.ModRevision,
	}
}

// usable refuses what comes after Close or with an ended context.
func (e *etcd) usable(ctx context.Context) error {
	if e.closing.Err() != nil {
		return ErrClosed
	}
	return ctx.Err()
}

// nearby lets one member answer by itself, if any age will do.
func nearby(s Staleness) []clientv3.OpOption {
	if s == AnyAge {
		return []clientv3.OpOption{clientv3.WithSerializable()}
	}
	return nil
}

func (e *etcd) Get(ctx context.Context, key string, s Staleness) (Entry, error) {
	if err := e.usable(ctx); err != nil {
		return Entry{}, fmt.Errorf("kv: get %q: %w", key, err)
	}
	if view, prefix, ok := e.near(key, s); ok {
		return getFrom(view, prefix, key)
	}
	resp, err := e.client.Etcd().Get(ctx, e.key(key), nearby(s)...)
	if err != nil {
		return Entry{}, fmt.Errorf("kv: get %q: %w", key, err)
	}
	if len(resp.Kvs) == 0 {
		return Entry{}, fmt.Errorf("%w: %q", ErrNotFound, key)
	}
	return e.entry(resp.Kvs[0]), nil
}

func (e *etcd) List(ctx context.Context, q Query) (Page, error) {
	if err := e.usable(ctx); err != nil {
		return Page{}, fmt.Errorf("kv: list %q: %w", q.Prefix, err)
	}
	if view, prefix, ok := e.near(q.Prefix, q.Staleness); ok {
		return listFrom(view, prefix, q), nil
	}
	from, end := e.key(q.Prefix), clientv3.GetPrefixRangeEnd(e.key(q.Prefix))
	if q.After >= q.Prefix {
		from = e.key(q.After) + "\x00" // the next possible key
	}
	if from >= end {
		return Page{}, nil
	}
	opts := append(nearby(q.Staleness), clientv3.WithRange(end), clientv3.WithLimit(int64(q.Limit)))
	resp, err := e.client.Etcd().Get(ctx, from, opts...)
	if err != nil {
		return Page{}, fmt.Errorf("kv: list %q: %w", q.Prefix, err)
	}
	p := Page{More: resp.More, Revision: resp.Header.Revision, Entries: make([]Entry, 0, len(resp.Kvs))}
	for _, kv := range resp.Kvs {
		p.Entries = append(p.Entries, e.entry(kv))
	}
	return p, nil
}

// Commit is one transaction. A lease that etcd does not know any more is replaced once:
// somebody revoked it, or etcd lost its data.
func (e *etcd) Commit(ctx context.Context, conditions []Condition, operations []Operation) (int64, error) {
	if err := e.usable(ctx); err != nil {
		return 0, fmt.Errorf("kv: commit: %w", err)
	}
	leases, err := e.leasesOf(ctx, operations)
	if err != nil {
		return 0, err
	}
	revision, err := e.commit(ctx, conditions, operations, leases)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		for ttl, one := range leases {
			e.leases.drop(ttl, one)
		}
		if leases, err = e.leasesOf(ctx, operations); err == nil {
			revision, err = e.commit(ctx, conditions, operations, leases)
		}
	}
	return revision, err
}

// leasesOf returns the leases that the operations need, by TTL.
func (e *etcd) leasesOf(ctx context.Context, operations []Operation) (map[int64]*lease, error) {
	keys := make(map[int64]int)
	for _, o := range operations {
		if !o.Delete && o.TTL > 0 {
			keys[seconds(o.TTL)]++
		}
	}
	leases := make(map[int64]*lease, len(keys))
	for ttl, n := range keys {
		one, err := e.leases.get(ctx, ttl, n)
		if err != nil {
			return nil, err
		}
		leases[ttl] = one
	}
	return leases, nil
}

func (e *etcd) commit(ctx context.Context, conditions []Condition, operations []Operation, leases map[int64]*lease) (int64, error) {
	ifs := make([]clientv3.Cmp, 0, len(conditions))
	gets := make([]clientv3.Op, 0, len(conditions))
	for _, c := range conditions {
		key, compare := e.key(c.Key), clientv3.Compare(clientv3.ModRevision(e.key(c.Key)), "=", c.Revision)
		if c.Token.Key != "" {
			key, compare = c.Token.Key, c.Token.Guard()
		}
		ifs = append(ifs, compare)
		gets = append(gets, clientv3.OpGet(key, clientv3.WithKeysOnly()))
	}
	thens := make([]clientv3.Op, 0, len(operations))
	for _, o := range operations {
		switch {
		case o.Delete:
			thens = append(thens, clientv3.OpDelete(e.key(o.Key)))
		case o.TTL > 0:
			thens = append(thens, clientv3.OpPut(e.key(o.Key), string(o.Value), clientv3.WithLease(leases[seconds(o.TTL)].id)))
		default:
			thens = append(thens, clientv3.OpPut(e.key(o.Key), string(o.Value)))
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("kv: commit: %w", err)
	}
	resp, err := e.client.Etcd().Txn(ctx).If(ifs...).Then(thens...).Else(gets...).Commit()
	switch {
	case err != nil && coord.Uncertain(err):
		return 0, fmt.Errorf("%w: %w", ErrUncertain, err)
	case err != nil:
		return 0, fmt.Errorf("kv: commit: %w", err)
	case resp.Succeeded:
		return resp.Header.Revision, nil
	}
	return 0, conflict(conditions, resp.Responses)
}

// conflict finds the first condition that did not hold.
func conflict(conditions []Condition, responses []*etcdserverpb.ResponseOp) error {
	for i, c := range conditions {
		kvs := responses[i].GetResponseRange().Kvs
		if c.Token.Key != "" {
			if len(kvs) == 0 || kvs[0].CreateRevision != c.Token.Revision {
				return fmt.Errorf("%w: %s", ErrFenced, c.Token.Key)
			}
			continue
		}
		actual := int64(0)
		if len(kvs) > 0 {
			actual = kvs[0].ModRevision
		}
		if actual != c.Revision {
			return &ConflictError{Key: c.Key, Expected: c.Revision, Actual: actual}
		}
	}
	return errors.New("kv: etcd refused a commit whose conditions hold")
}

// Watch follows the prefix with a mirror.
func (e *etcd) Watch(ctx context.Context, prefix string) (<-chan Change, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(ctx); err != nil {
		return nil, fmt.Errorf("kv: watch %q: %w", prefix, err)
	}
	m, err := mirror.Open(ctx, e.client, root+prefix, raw)
	if err != nil {
		return nil, fmt.Errorf("kv: watch %q: %w", prefix, err)
	}
	changes := make(chan Change)
	run, cancel := context.WithCancel(ctx)
	e.watches.Go(func() {
		defer close(changes)
		defer func() { _ = m.Close() }() // returns nil
		defer context.AfterFunc(e.closing, cancel)()
		defer cancel()
		follow(run, m, prefix, changes)
	})
	return changes, nil
}

// follow sends what changes until the context ends.
func follow(ctx context.Context, m *mirror.Mirror[[]byte], prefix string, to chan<- Change) {
	synced := false
	for batch := range m.Changes(ctx) {
		list := make([]Change, 0, len(batch.Changes)+1)
		for _, c := range batch.Changes {
			if c.Deleted {
				list = append(list, Change{Kind: Deleted, Entry: Entry{Key: prefix + c.Key, Revision: batch.View.Revision()}})
			} else {
				list = append(list, Change{Kind: Put, Entry: Entry{Key: prefix + c.Key, Value: c.Value, Revision: c.Revision}})
			}
		}
		sortChanges(list)
		if !synced {
			synced = true
			list = append(list, Change{Kind: Synced, Entry: Entry{Revision: batch.View.Revision()}})
		}
		for _, c := range list {
			select {
			case to <- c:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (e *etcd) Close() error {
	e.mu.Lock()
	e.end()
	mirrors := e.copies.mirrors
	e.copies.mirrors = nil
	e.mu.Unlock()
	for _, m := range mirrors {
		_ = m.Close() // returns nil
	}
	e.watches.Wait()
	return nil
}
