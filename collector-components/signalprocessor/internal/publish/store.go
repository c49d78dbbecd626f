// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"time"

	"github.com/otelplat/platform/coord"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Store is what a publisher needs of etcd.
type Store interface {
	Grant(ctx context.Context, ttl time.Duration) (clientv3.LeaseID, error)
	Renew(ctx context.Context, lease clientv3.LeaseID) error
	Revoke(ctx context.Context, lease clientv3.LeaseID) error
	Commit(ctx context.Context, ops ...clientv3.Op) error // in one transaction
}

// Etcd returns the store of a client.
func Etcd(c *coord.Client) Store { return etcdStore{c.Etcd()} }

type etcdStore struct{ etcd *clientv3.Client }

func (s etcdStore) Grant(ctx context.Context, ttl time.Duration) (clientv3.LeaseID, error) {
	resp, err := s.etcd.Grant(ctx, int64(ttl/time.Second))
	if err != nil {
		return clientv3.NoLease, err
	}
	return resp.ID, nil
}

func (s etcdStore) Renew(ctx context.Context, lease clientv3.LeaseID) error {
	_, err := s.etcd.KeepAliveOnce(ctx, lease)
	return err
}

func (s etcdStore) Revoke(ctx context.Context, lease clientv3.LeaseID) error {
	_, err := s.etcd.Revoke(ctx, lease)
	return err
}

func (s etcdStore) Commit(ctx context.Context, ops ...clientv3.Op) error {
	_, err := s.etcd.Txn(ctx).Then(ops...).Commit()
	return err
}
