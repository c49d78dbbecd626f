// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/mirror"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// root is where keys live, below the namespace.
const root = "kv/"

// Etcd returns the backend of the keys under kv/ of the client's namespace.
func Etcd(c *coord.Client) Backend {
	closing, end := context.WithCancel(context.Background()) // ends with Close
	return &etcd{client: c, closing: closing, end: end}
}

type etcd struct {
	client *coord.Client

	closing context.Context // ends with Close: the owner's lifetime
	end     context.CancelFunc
	mu      sync.Mutex // so that no watch begins while Close waits
	watches sync.WaitGroup
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

func (e *etcd) Get(ctx context.Context, key string) (Entry, error) {
	if err := e.usable(ctx); err != nil {
		return Entry{}, fmt.Errorf("kv: get %q: %w", key, err)
	}
	resp, err := e.client.Etcd().Get(ctx, e.key(key))
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
	from, end := e.key(q.Prefix), clientv3.GetPrefixRangeEnd(e.key(q.Prefix))
	if q.After >= q.Prefix {
		from = e.key(q.After) + "\x00" // the next possible key
	}
	if from >= end {
		return Page{}, nil
	}
	resp, err := e.client.Etcd().Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(int64(q.Limit)))
	if err != nil {
		return Page{}, fmt.Errorf("kv: list %q: %w", q.Prefix, err)
	}
	p := Page{More: resp.More, Revision: resp.Header.Revision, Entries: make([]Entry, 0, len(resp.Kvs))}
	for _, kv := range resp.Kvs {
		p.Entries = append(p.Entries, e.entry(kv))
	}
	return p, nil
}

// Commit is one transaction. Keys with a TTL get a lease for each TTL, granted
// before and revoked when nothing was written.
func (e *etcd) Commit(ctx context.Context, conditions []Condition, operations []Operation) (int64, error) {
	if err := e.usable(ctx); err != nil {
		return 0, fmt.Errorf("kv: commit: %w", err)
	}
	leases, err := e.grant(ctx, operations)
	if err != nil {
		return 0, err
	}
	ifs := make([]clientv3.Cmp, 0, len(conditions))
	gets := make([]clientv3.Op, 0, len(conditions))
	for _, c := range conditions {
		ifs = append(ifs, clientv3.Compare(clientv3.ModRevision(e.key(c.Key)), "=", c.Revision))
		gets = append(gets, clientv3.OpGet(e.key(c.Key), clientv3.WithKeysOnly()))
	}
	thens := make([]clientv3.Op, 0, len(operations))
	for _, o := range operations {
		switch {
		case o.Delete:
			thens = append(thens, clientv3.OpDelete(e.key(o.Key)))
		case o.TTL > 0:
			thens = append(thens, clientv3.OpPut(e.key(o.Key), string(o.Value), clientv3.WithLease(leases[seconds(o.TTL)])))
		default:
			thens = append(thens, clientv3.OpPut(e.key(o.Key), string(o.Value)))
		}
	}
	if err := ctx.Err(); err != nil {
		e.revoke(leases)
		return 0, fmt.Errorf("kv: commit: %w", err)
	}
	resp, err := e.client.Etcd().Txn(ctx).If(ifs...).Then(thens...).Else(gets...).Commit()
	switch {
	case err != nil && uncertain(err):
		return 0, fmt.Errorf("%w: %w", ErrUncertain, err) // leases stay: the keys may be there
	case err != nil:
		e.revoke(leases)
		return 0, fmt.Errorf("kv: commit: %w", err)
	case resp.Succeeded:
		return resp.Header.Revision, nil
	}
	e.revoke(leases)
	return 0, conflict(conditions, resp.Responses)
}

// conflict finds the first condition that did not hold.
func conflict(conditions []Condition, responses []*etcdserverpb.ResponseOp) error {
	for i, c := range conditions {
		actual := int64(0)
		if kvs := responses[i].GetResponseRange().Kvs; len(kvs) > 0 {
			actual = kvs[0].ModRevision
		}
		if actual != c.Revision {
			return &ConflictError{Key: c.Key, Expected: c.Revision, Actual: actual}
		}
	}
	return errors.New("kv: etcd refused a commit whose conditions hold")
}

// seconds is the TTL as etcd counts it.
func seconds(ttl time.Duration) int64 { return int64(math.Ceil(ttl.Seconds())) }

func (e *etcd) grant(ctx context.Context, operations []Operation) (map[int64]clientv3.LeaseID, error) {
	var leases map[int64]clientv3.LeaseID
	for _, o := range operations {
		if o.Delete || o.TTL == 0 || leases[seconds(o.TTL)] != clientv3.NoLease {
			continue
		}
		resp, err := e.client.Etcd().Grant(ctx, seconds(o.TTL))
		if err != nil {
			e.revoke(leases)
			return nil, fmt.Errorf("kv: lease for %q: %w", o.Key, err)
		}
		if leases == nil {
			leases = make(map[int64]clientv3.LeaseID)
		}
		leases[seconds(o.TTL)] = resp.ID
	}
	return leases, nil
}

// revokeTimeout bounds the clean-up of leases that nothing uses. What it leaves
// expires by itself.
const revokeTimeout = time.Second

func (e *etcd) revoke(leases map[int64]clientv3.LeaseID) {
	if len(leases) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), revokeTimeout)
	defer cancel()
	for _, id := range leases {
		_, _ = e.client.Etcd().Revoke(ctx, id) // else it expires
	}
}

// uncertain reports whether a write may have been applied although it failed:
// whatever etcd did not refuse outright.
func uncertain(err error) bool {
	var refused rpctypes.EtcdError
	if errors.As(err, &refused) {
		switch refused.Code() {
		case codes.Unavailable, codes.DeadlineExceeded, codes.Unknown, codes.Canceled:
			return true
		}
		return false
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.ResourceExhausted,
		codes.FailedPrecondition, codes.NotFound, codes.OutOfRange, codes.Unimplemented:
		return false
	}
	return true
}

// Watch follows the prefix with a mirror.
func (e *etcd) Watch(ctx context.Context, prefix string) (<-chan Change, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(ctx); err != nil {
		return nil, fmt.Errorf("kv: watch %q: %w", prefix, err)
	}
	m, err := mirror.Open(ctx, e.client, root+prefix, func(_ string, value []byte) ([]byte, error) { return value, nil })
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
	e.mu.Unlock()
	e.watches.Wait()
	return nil
}
