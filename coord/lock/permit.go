// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// waitForPermit returns when fewer places than there are permits are before this one. Any
// of those before it may be the next to go: so it watches the queue, from before it reads
// who they are, and counts them down without reading again.
func (q *place) waitForPermit(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(q.session.alive, cancel)() // Watch waits for etcd, if it has to
	etcd := q.locker.client.Etcd()
	events := etcd.Watch(clientv3.WithRequireLeader(ctx), q.prefix, clientv3.WithPrefix(),
		clientv3.WithCreatedNotify(), clientv3.WithFilterPut())
	var before map[string]bool
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
				kvs, err := q.ahead(ctx)
				if err != nil {
					return err
				}
				before = make(map[string]bool, len(kvs))
				for _, kv := range kvs {
					before[string(kv.Key)] = true
				}
			}
			for _, e := range resp.Events {
				if e.Type == mvccpb.Event_DELETE {
					delete(before, string(e.Kv.Key))
				}
			}
			if len(before) >= q.rule.permits {
				continue
			}
			// The place itself may be gone too: look once more.
			kvs, err := q.ahead(ctx)
			if err != nil || len(kvs) < q.rule.permits {
				return err
			}
		}
	}
}

// ahead returns the keys before this one.
func (q *place) ahead(ctx context.Context) ([]*mvccpb.KeyValue, error) {
	if !q.session.valid() {
		return nil, ErrLost
	}
	return q.read(ctx, clientv3.OpGet(q.prefix, clientv3.WithPrefix(), clientv3.WithMaxCreateRev(q.revision-1), clientv3.WithKeysOnly()))
}
