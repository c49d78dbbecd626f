// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"math"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A lock with a delay has one more key while it is held, under a lease that outlives the
// holder's by the delay: the next holder waits until it is gone. Who unlocks deletes it
// with its place; who is lost leaves it to expire. "~" begins no lock's name.
func (q *place) delayKey() string { return q.locker.client.Key(q.locker.root, "~delay", q.name) }

// outlast waits until there is no delay key of a holder before, and makes one of this
// place, unless that is shared.
func (q *place) outlast(ctx context.Context, wait bool) error {
	key := q.delayKey()
	var puts []clientv3.Op
	if !q.rule.shared {
		puts = append(puts, clientv3.OpPut(key, string(q.locker.owner), clientv3.WithLease(q.session.delay)))
	}
	for {
		resp, err := q.locker.client.Etcd().Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(q.key), "=", q.revision),
				clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
			Then(puts...).
			Else(clientv3.OpGet(key, clientv3.WithKeysOnly())).Commit()
		if err != nil {
			return leaseLost(err)
		}
		if resp.Succeeded {
			if !q.rule.shared {
				q.delaying = resp.Header.Revision
			}
			return nil
		}
		kvs := resp.Responses[0].GetResponseRange().Kvs
		switch {
		case len(kvs) == 0:
			return ErrLost // it is this place that is gone
		case !wait:
			return ErrLocked
		}
		if err := q.retry(ctx, func() error { return q.gone(ctx, kvs[0]) }); err != nil {
			return err
		}
	}
}

// expireDelay lets the delay begin for a place that is gone while its lease is renewed:
// somebody deleted its key. When etcd does not answer, the delay begins when the locker is
// closed.
func (q *place) expireDelay() {
	if q.delaying == 0 || !q.session.valid() {
		return // or it expires with its lease
	}
	ctx, cancel := context.WithTimeout(q.locker.run, releaseTimeout)
	defer cancel()
	etcd := q.locker.client.Etcd()
	grant, err := etcd.Grant(ctx, int64(math.Ceil(q.locker.delay.Seconds())))
	if err != nil {
		return
	}
	_, _ = etcd.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(q.delayKey()), "=", q.delaying)).
		Then(clientv3.OpPut(q.delayKey(), string(q.locker.owner), clientv3.WithLease(grant.ID))).Commit()
}
