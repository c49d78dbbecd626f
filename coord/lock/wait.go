// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// waitRetry is the pause after etcd did not answer.
const waitRetry = 100 * time.Millisecond

// wait returns when it is the turn of the place. It returns [ErrLost] when the place is
// gone.
func (q *place) wait(ctx context.Context) error {
	if q.rule.permits > 1 {
		return q.retry(ctx, func() error { return q.waitForPermit(ctx) })
	}
	for {
		turn := false
		err := q.retry(ctx, func() error {
			before, err := q.predecessor(ctx)
			if err != nil || before == nil {
				turn = err == nil
				return err
			}
			return q.gone(ctx, before)
		})
		if err != nil || turn {
			return err
		}
	}
}

// retry calls f again while etcd does not answer it. It returns the context's error, and
// [ErrLost].
func (q *place) retry(ctx context.Context, f func() error) error {
	for {
		err := f()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrLost):
			return err
		case q.session.alive.Err() != nil:
			return ErrLost
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-q.session.lost:
			return ErrLost
		case <-time.After(waitRetry):
		}
	}
}

// predecessor returns the last key before this one that it waits for, nil when there is
// none. The same transaction makes sure that this one is still there.
func (q *place) predecessor(ctx context.Context) (*mvccpb.KeyValue, error) {
	if !q.session.valid() {
		return nil, ErrLost
	}
	from, end := q.rule.blocking(q.prefix)
	before, err := q.read(ctx, clientv3.OpGet(from, append(clientv3.WithLastCreate(), clientv3.WithRange(end),
		clientv3.WithMaxCreateRev(q.revision-1), clientv3.WithKeysOnly())...))
	if err != nil || len(before) == 0 {
		return nil, err
	}
	return before[0], nil
}

// read reads keys, if this place is still there, else it returns [ErrLost].
func (q *place) read(ctx context.Context, op clientv3.Op) ([]*mvccpb.KeyValue, error) {
	resp, err := q.locker.client.Etcd().Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(q.key), "=", q.revision)).Then(op).Commit()
	switch {
	case err != nil:
		return nil, err
	case !resp.Succeeded:
		return nil, ErrLost
	}
	return resp.Responses[0].GetResponseRange().Kvs, nil
}

// gone waits until a key is deleted. The watch is there before the key is read,
// at the current revision, so that it never has to catch up. A key that was created
// after this place is another place, behind it: its holder uses keys again.
func (q *place) gone(ctx context.Context, before *mvccpb.KeyValue) error {
	key := string(before.Key)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(q.session.alive, cancel)() // Watch waits for etcd, if it has to
	etcd := q.locker.client.Etcd()
	events := etcd.Watch(clientv3.WithRequireLeader(ctx), key, clientv3.WithCreatedNotify(), clientv3.WithFilterPut())
	for {
		select {
		case <-q.session.lost:
			return ErrLost
		case resp, open := <-events:
			switch {
			case !open:
				return errors.New("the watch ended")
			case resp.Err() != nil:
				return resp.Err()
			case resp.Created:
				now, err := etcd.Get(ctx, key, clientv3.WithKeysOnly())
				if err != nil || len(now.Kvs) == 0 || now.Kvs[0].CreateRevision != before.CreateRevision {
					return err
				}
			case deleted(resp.Events):
				return nil
			}
		}
	}
}

func deleted(events []*clientv3.Event) bool {
	for _, e := range events {
		if e.Type == mvccpb.Event_DELETE {
			return true
		}
	}
	return false
}

// leaseLost makes [ErrLost] of etcd's answer that the lease is gone: then a new
// one is taken, and a new place.
func leaseLost(err error) error {
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return errors.Join(ErrLost, err)
	}
	return err
}
