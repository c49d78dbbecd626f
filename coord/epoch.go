// SPDX-License-Identifier: Apache-2.0

package coord

import (
	"context"
	"fmt"
	"strconv"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Epoch names one history of revisions: the cluster's id and the value of the
// key meta/epoch, which whoever restores a backup changes. Revisions of two
// epochs cannot be compared. The zero value is no epoch.
type Epoch string

// NewEpoch makes the epoch of a cluster id and the value of meta/epoch.
func NewEpoch(cluster uint64, meta string) Epoch {
	return Epoch(strconv.FormatUint(cluster, 16) + "/" + meta)
}

// Epoch reads the current epoch with a linearizable read.
func (c *Client) Epoch(ctx context.Context) (Epoch, error) {
	resp, err := c.etcd.Get(ctx, c.Key("meta", "epoch"))
	if err != nil {
		return "", fmt.Errorf("coord: read epoch: %w", err)
	}
	return EpochOf(resp), nil
}

// EpochOf returns the epoch that a read of meta/epoch alone says.
func EpochOf(resp *clientv3.GetResponse) Epoch {
	meta := ""
	if len(resp.Kvs) > 0 {
		meta = string(resp.Kvs[0].Value)
	}
	return NewEpoch(resp.Header.ClusterId, meta)
}
