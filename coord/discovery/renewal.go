// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otelplat/platform/coord"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// ErrNotRenewed is returned by [LastRenewal] for a member whose lease etcd does not know.
var ErrNotRenewed = errors.New("discovery: the registration is not renewed any more")

// LastRenewal asks etcd when the process of a member last renewed its registration, to a
// second. It returns [ErrNotRenewed] when the lease ended, or the member is of a registry
// without leases.
func LastRenewal(ctx context.Context, c *coord.Client, m *Member) (time.Time, error) {
	if m.lease == 0 {
		return time.Time{}, fmt.Errorf("%w: %s of %s has no lease", ErrNotRenewed, m.ID, m.Service)
	}
	resp, err := c.Etcd().TimeToLive(ctx, clientv3.LeaseID(m.lease))
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("discovery: lease of %s: %w", m.ID, err)
	case resp.TTL < 0:
		return time.Time{}, fmt.Errorf("%w: the lease of %s of %s ended", ErrNotRenewed, m.ID, m.Service)
	}
	return time.Now().Add(-time.Duration(resp.GrantedTTL-resp.TTL) * time.Second), nil
}
