// SPDX-License-Identifier: Apache-2.0

package boltkv

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/otelplat/platform/coord/kv"
	"go.etcd.io/bbolt"
)

func (b *backend) Watch(ctx context.Context, prefix string) (<-chan kv.Change, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing.Err() != nil {
		return nil, kv.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("boltkv: watch %q: %w", prefix, err)
	}
	changes := make(chan kv.Change)
	b.running.Go(func() {
		defer close(changes)
		run, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(b.closing, cancel)()
		b.follow(run, prefix, changes)
	})
	return changes, nil
}

// follow sends what differs from what it told, again after every commit. A reader that
// is slow finds the newest state the next time, and holds up no writer.
func (b *backend) follow(ctx context.Context, prefix string, changes chan<- kv.Change) {
	told := make(map[string]int64)
	for first := true; ; first = false {
		b.mu.Lock()
		changed := b.changed // before the read, so that no commit falls between the two
		b.mu.Unlock()
		list, at, err := b.difference(ctx, prefix, told)
		if err != nil {
			return // the context or the backend ended
		}
		if first {
			list = append(list, kv.Change{Kind: kv.Synced, Entry: kv.Entry{Revision: at}})
		}
		for _, c := range list {
			select {
			case changes <- c:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// difference returns what is not as told says, in the order of revisions, and brings
// told up to date.
func (b *backend) difference(ctx context.Context, prefix string, told map[string]int64) (list []kv.Change, at int64, err error) {
	err = b.view(ctx, func(keys *bbolt.Bucket) error {
		at = int64(keys.Sequence())
		there := make(map[string]bool, len(told))
		for key, record := range scan(keys, prefix, "") {
			there[string(key)] = true
			if told[string(key)] != revision(record) {
				list = append(list, kv.Change{Kind: kv.Put, Entry: entry(key, record)})
				told[string(key)] = revision(record)
			}
		}
		for key := range told {
			if !there[key] {
				list = append(list, kv.Change{Kind: kv.Deleted, Entry: kv.Entry{Key: key, Revision: at}})
				delete(told, key)
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b kv.Change) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Key, b.Key))
	})
	return list, at, err
}
