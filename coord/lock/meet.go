// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// met is the value of a party's key once its meeting is complete.
const met = `{"v":1,"met":true}`

// meetAgain is how often a party counts the others, should the one that came last be lost
// before it told them.
const meetAgain = time.Second

// errMet ends a wait for good reason.
var errMet = errors.New("the meeting is complete")

// meet returns nil when the meeting of this place is complete. The one that arrives last
// tells all in one transaction; each watches its own key.
func (q *place) meet(ctx context.Context) error {
	err := q.retry(ctx, func() error {
		if err := q.met(ctx); !errors.Is(err, errMet) {
			return err
		}
		return nil
	})
	switch {
	case err == nil:
		q.locker.abandon(q) // deletes the key behind us
		return nil
	case errors.Is(err, ErrLost):
		return err
	}
	return q.withdraw(ctx, err)
}

// met watches the place's key until it says so: errMet.
func (q *place) met(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(q.session.alive, cancel)() // Watch waits for etcd, if it has to
	events := q.locker.client.Etcd().Watch(clientv3.WithRequireLeader(ctx), q.key, clientv3.WithCreatedNotify())
	again := time.NewTicker(meetAgain)
	defer again.Stop()
	for {
		var err error
		select {
		case <-q.session.lost:
			return ErrLost
		case <-again.C:
			err = q.gather(ctx)
		case resp, open := <-events:
			switch {
			case !open:
				return errors.New("the watch ended")
			case resp.Err() != nil:
				return resp.Err()
			case resp.Created:
				err = q.gather(ctx)
			case deleted(resp.Events):
				return ErrLost
			case len(resp.Events) > 0: // it was written once, and is written again when they met
				return errMet
			}
		}
		if err != nil {
			return err
		}
	}
}

// gather completes the meetings that are complete. It returns errMet when this place's is.
func (q *place) gather(ctx context.Context) error {
	for {
		resp, err := q.locker.client.Etcd().Get(ctx, q.prefix, clientv3.WithPrefix(),
			clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend))
		if err != nil {
			return err
		}
		here := false
		waiting := make([]*mvccpb.KeyValue, 0, len(resp.Kvs))
		for _, kv := range resp.Kvs {
			own := string(kv.Key) == q.key && kv.CreateRevision == q.revision
			here = here || own
			switch {
			case string(kv.Value) != met:
				waiting = append(waiting, kv)
			case own:
				return errMet
			}
		}
		if !here {
			return ErrLost
		}
		if len(waiting) < q.rule.permits {
			return nil
		}
		// Whether it succeeds or somebody came or went meanwhile: look again.
		if err := q.tell(ctx, waiting[:q.rule.permits]); err != nil {
			return err
		}
	}
}

// tell marks the keys of a meeting's parties, if all are still as they were.
func (q *place) tell(ctx context.Context, parties []*mvccpb.KeyValue) error {
	ifs := make([]clientv3.Cmp, 0, len(parties))
	thens := make([]clientv3.Op, 0, len(parties))
	for _, kv := range parties {
		ifs = append(ifs, clientv3.Compare(clientv3.ModRevision(string(kv.Key)), "=", kv.ModRevision))
		thens = append(thens, clientv3.OpPut(string(kv.Key), met, clientv3.WithIgnoreLease()))
	}
	_, err := q.locker.client.Etcd().Txn(ctx).If(ifs...).Then(thens...).Commit()
	return err
}

// withdraw takes the place back because of why, unless the meeting was complete before:
// then it returns nil.
func (q *place) withdraw(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	resp, err := q.locker.client.Etcd().Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(q.key), "=", q.revision)).
		Then(clientv3.OpDelete(q.key)).
		Else(clientv3.OpGet(q.key, clientv3.WithKeysOnly())).Commit()
	if err == nil && resp.Succeeded {
		return why
	}
	q.locker.abandon(q)
	if err == nil && len(resp.Responses[0].GetResponseRange().Kvs) > 0 {
		return nil
	}
	return why
}
