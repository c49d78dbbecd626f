// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/otelplat/platform/coord"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// MaxListed is how many places [List] returns at most.
const MaxListed = 10_000

// Place is one place in the queue of a lock.
type Place struct {
	Lock     string
	Key      string          // absolute, in etcd
	Revision int64           // the token's, once it holds
	Holder   bool            // the others wait, in order
	Shared   bool            // holds, or waits, for reading
	Owner    json.RawMessage // who it is, as it says: for people
}

// List returns who holds and who waits for the locks of the client's namespace, of one
// of them if it is named: lock by lock, each in the order of its queue. It says what
// was the case when etcd was asked, and is for people: to decide by it, hold the lock.
// It returns [*coord.NameError], and etcd's errors.
func List(ctx context.Context, c *coord.Client, name string) ([]Place, error) {
	prefix := c.Key("lock") + "/"
	from := prefix
	if name != "" {
		if err := coord.CheckName("lock", name); err != nil {
			return nil, err
		}
		from += name + "/"
	}
	resp, err := c.Etcd().Get(ctx, from, clientv3.WithPrefix(), clientv3.WithLimit(MaxListed),
		clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend))
	if err != nil {
		return nil, fmt.Errorf("lock: list: %w", err)
	}
	var order []string
	queues := make(map[string][]Place)
	for _, kv := range resp.Kvs {
		of, _, _ := strings.Cut(strings.TrimPrefix(string(kv.Key), prefix), "/")
		if coord.CheckName("lock", of) != nil {
			continue // a delay
		}
		queue := queues[of]
		if len(queue) == 0 {
			order = append(order, of)
		}
		p := Place{Lock: of, Key: string(kv.Key), Revision: kv.CreateRevision, Shared: ruleOf(string(kv.Key)).shared}
		// The first holds, and readers with no writer before them.
		last := len(queue) - 1
		p.Holder = last < 0 || p.Shared && queue[last].Shared && queue[last].Holder
		if json.Valid(kv.Value) {
			p.Owner = kv.Value
		}
		queues[of] = append(queue, p)
	}
	var list []Place
	for _, of := range order {
		list = append(list, queues[of]...)
	}
	return list, nil
}
