// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// place is a key in a lock's queue.
type place struct {
	locker   *etcdLocker
	session  *session
	name     string
	prefix   string
	rule     rule
	key      string
	revision int64
	delaying int64 // creation revision of the lock's delay key, when it is this place's
}

// join puts the key, and reports whether it is its turn.
func (q *place) join(ctx context.Context) (first bool, err error) {
	etcd := q.locker.client.Etcd()
	resp, err := etcd.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(q.key), "=", 0)).
		Then(
			clientv3.OpPut(q.key, string(q.locker.owner), clientv3.WithLease(q.session.lease)),
			q.look(),
		).Commit()
	if err != nil {
		return false, leaseLost(err)
	}
	if !resp.Succeeded {
		return false, fmt.Errorf("key %s is taken", q.key)
	}
	q.revision = resp.Header.Revision
	before := resp.Responses[1].GetResponseRange()
	switch {
	case q.rule.shared:
		return len(before.Kvs) == 0, nil
	case q.rule.permits == 1:
		return len(before.Kvs) > 0 && string(before.Kvs[0].Key) == q.key, nil
	}
	if len(before.Kvs) > 0 {
		if other := ruleOf(string(before.Kvs[0].Key)); other != q.rule {
			return false, &PermitsError{Name: q.name, Permits: q.rule.permits, Others: other.permits}
		}
	}
	return before.Count <= int64(q.rule.permits), nil // this place is counted too
}

// look reads what tells whether it is the turn of a place that was just taken: the oldest
// key of those that it waits for, and how many there are.
func (q *place) look() clientv3.Op {
	from, end := q.rule.blocking(q.prefix)
	opts := append(clientv3.WithFirstCreate(), clientv3.WithRange(end), clientv3.WithKeysOnly())
	return clientv3.OpGet(from, opts...)
}

// release gives the place up, unless it is gone; then it returns false. It is fenced: a
// late or repeated one never hits another holder's keys.
func (q *place) release(ctx context.Context) (bool, error) {
	ops := []clientv3.Op{clientv3.OpDelete(q.key)}
	if q.delaying > 0 {
		ops = append(ops, clientv3.OpDelete(q.delayKey()))
	}
	txn := q.locker.client.Etcd().Txn(ctx)
	if q.revision > 0 { // else nobody knows whether the key was put; no other place has it
		txn = txn.If(clientv3.Compare(clientv3.CreateRevision(q.key), "=", q.revision))
	}
	resp, err := txn.Then(ops...).Commit()
	return err == nil && resp.Succeeded, err
}
