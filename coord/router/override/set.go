// SPDX-License-Identifier: Apache-2.0

package override

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelplat/platform/coord"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// maxListed bounds one list.
	maxListed = 1000

	// cleanupTimeout bounds the end of a lease that is not needed, whatever became of the
	// caller.
	cleanupTimeout = 2 * time.Second
)

// Set forces what the override says, in place of what was forced there before, and returns
// it as it holds: etcd may grant a second or two more than was asked for. It returns
// [*Error] and [*coord.NameError] before anything is sent, and [*coord.DeniedError]. One
// whose error is [coord.Uncertain] may hold; its lease ends it.
func Set(ctx context.Context, c *coord.Client, o Override) (Override, error) {
	if err := o.check(); err != nil {
		return Override{}, err
	}
	lease, err := c.Etcd().Grant(ctx, int64(o.For/time.Second))
	if err != nil {
		return Override{}, fmt.Errorf("override: lease for %s of %s: %w", o.Target(), o.Service, err)
	}
	o.For = min(time.Duration(lease.TTL)*time.Second, MaxFor)
	raw, err := encode(&o)
	if err != nil {
		revoke(ctx, c, lease.ID)
		return Override{}, fmt.Errorf("override: %w", err)
	}
	put, err := c.Etcd().Put(ctx, c.Prefix()+Prefix(o.Service)+o.Target(), string(raw),
		clientv3.WithLease(lease.ID), clientv3.WithPrevKV())
	if err != nil {
		revoke(ctx, c, lease.ID) // with the key, should it be there
		return Override{}, fmt.Errorf("override: set %s of %s: %w", o.Target(), o.Service, err)
	}
	if before := put.PrevKv; before != nil && before.Lease != 0 {
		revoke(ctx, c, clientv3.LeaseID(before.Lease)) // the key is not its any more
	}
	return o, nil
}

// revoke ends a lease. One that stays costs etcd a few bytes until it ends by itself.
func revoke(ctx context.Context, c *coord.Client, id clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if _, err := c.Etcd().Revoke(ctx, id); err != nil {
		c.Logger().DebugContext(ctx, "override: lease not revoked", "error", err)
	}
}

// Clear ends an override, of which kind, instance and route count, and reports whether there
// was one.
func Clear(ctx context.Context, c *coord.Client, o Override) (bool, error) {
	if err := o.checkTarget(); err != nil {
		return false, err
	}
	resp, err := c.Etcd().Delete(ctx, c.Prefix()+Prefix(o.Service)+o.Target(), clientv3.WithPrevKV())
	if err != nil {
		return false, fmt.Errorf("override: clear %s of %s: %w", o.Target(), o.Service, err)
	}
	for _, kv := range resp.PrevKvs {
		if kv.Lease != 0 {
			revoke(ctx, c, clientv3.LeaseID(kv.Lease))
		}
	}
	return resp.Deleted > 0, nil
}

// Listed is an override that holds.
type Listed struct {
	Override
	Left time.Duration // as etcd counts, in whole seconds
}

// List returns the overrides of a service, or of all for "", ascending by service and target,
// at most 1,000. It asks etcd for each one's lease. Values that no reader takes are left out.
func List(ctx context.Context, c *coord.Client, service string) ([]Listed, error) {
	prefix := c.Prefix() + "route/"
	if service != "" {
		if err := coord.CheckName("service", service); err != nil {
			return nil, err
		}
		prefix = c.Prefix() + Prefix(service)
	}
	resp, err := c.Etcd().Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithLimit(maxListed))
	if err != nil {
		return nil, fmt.Errorf("override: list: %w", err)
	}
	var list []Listed
	for _, kv := range resp.Kvs {
		of, target, _ := strings.Cut(strings.TrimPrefix(string(kv.Key), c.Prefix()+"route/"), "/")
		o, err := decode(of, target, kv.Value)
		if err != nil {
			c.Logger().DebugContext(ctx, "override: not listed", "key", string(kv.Key), "error", err)
			continue
		}
		left, err := c.Etcd().TimeToLive(ctx, clientv3.LeaseID(kv.Lease))
		if err != nil {
			return nil, fmt.Errorf("override: lease of %s of %s: %w", target, of, err)
		}
		if left.TTL < 0 {
			continue // it ended meanwhile
		}
		list = append(list, Listed{o, time.Duration(left.TTL) * time.Second})
	}
	slices.SortFunc(list, func(a, b Listed) int {
		return strings.Compare(a.Service+"/"+a.Target(), b.Service+"/"+b.Target())
	})
	return list, nil
}
