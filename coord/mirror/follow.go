// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/otelplat/platform/coord"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/connectivity"
)

const (
	// Back-off between attempts, as client-go's reflector has it.
	minBackoff = 800 * time.Millisecond
	maxBackoff = 30 * time.Second

	// pageSize bounds one answer of a list.
	pageSize = 2000

	// listTimeout bounds one request of a list.
	listTimeout = 10 * time.Second
)

var (
	errSilent = errors.New("mirror: etcd does not answer on the watch")
	errEnded  = errors.New("mirror: the watch ended")
	errLost   = errors.New("mirror: the connection was lost")
)

// run follows the prefix until the context ends.
func (m *Mirror[T]) run(ctx context.Context) {
	defer close(m.done)
	defer m.asker.release()
	defer m.changes.Close()
	defer m.progress.Close()
	f := follower[T]{Mirror: m, rejectedAt: make(map[string]int64)}
	backoff := minBackoff
	for {
		err := f.list(ctx)
		if err == nil {
			backoff = minBackoff
			err = f.watch(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		m.tel.relisted(err)
		if !m.pause(ctx, jitter(backoff), errors.Is(err, errLost)) {
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// jitter returns 0.5 to 1.5 times d, so that a fleet does not come back at once.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d) //nolint:gosec // spreads load, guards nothing
}

// pause waits for d, or until a connection that was lost is back. It returns
// false when the context ended.
func (m *Mirror[T]) pause(ctx context.Context, d time.Duration, lost bool) bool {
	wait, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	conn := m.client.Etcd().ActiveConnection()
	for {
		state := conn.GetState()
		switch {
		case state == connectivity.Idle:
			conn.Connect()
		case state == connectivity.Ready && lost:
			// Back. Spread the lists of a fleet over a moment.
			back, cancel := context.WithTimeout(ctx, rand.N(100*time.Millisecond))
			<-back.Done()
			cancel()
			return ctx.Err() == nil
		}
		lost = lost || state != connectivity.Ready
		if !conn.WaitForStateChange(wait, state) {
			return ctx.Err() == nil
		}
	}
}

// follower is the part of a mirror that only its goroutine touches.
type follower[T any] struct {
	*Mirror[T]
	rejectedAt map[string]int64 // key to the revision that did not decode
	wg         sync.WaitGroup   // of the goroutine that looks after the connection
}

// list replaces the content by a linearizable list of the prefix.
func (f *follower[T]) list(ctx context.Context) error {
	asked := time.Now()
	first, err := f.firstPage(ctx)
	if err != nil {
		return err
	}
	old := f.state.Load()
	epoch, restarts := epochOf(first, old.epoch, old.revision, old.restarts)
	sameEpoch := epoch == old.epoch

	// A new trie, so that keys which are gone are gone. Values whose revision did
	// not change are taken over without decoding them again.
	next := &state[T]{revision: first.revision, epoch: epoch, restarts: restarts}
	e := &edit{}
	changed := !sameEpoch
	rejected := make(map[string]int64)
	page := first
	for {
		for _, kv := range page.kvs {
			key := f.relative(kv.Key)
			was := old.trie.get(key)
			if sameEpoch && was != nil && was.mod == kv.ModRevision {
				next.trie.set(e, key, was.value, was.mod)
				f.keepRaw(next, e, key, kv.Value, was.mod)
				continue
			}
			changed = f.decodeInto(next, old, e, key, kv, sameEpoch, rejected) || changed
		}
		if !page.more {
			break
		}
		if page, err = f.nextPage(ctx, page, first.revision); err != nil {
			return err
		}
	}
	changed = changed || next.trie.len != old.trie.len
	next.index = newIndex(&next.trie)
	if !sameEpoch && old.revision > 0 {
		f.tel.newEpoch(string(old.epoch), string(epoch))
	}
	f.rejectedAt = rejected
	f.rejected.Store(int64(len(rejected)))
	f.state.Store(next)
	f.knownCurrentAt(asked) // before who waits is told: what is ready has an age
	f.publish(next, changed)
	return nil
}

// decodeInto puts a key's value into the next state, or what was there before when it
// does not decode. It reports whether the content changed.
func (f *follower[T]) decodeInto(next, old *state[T], e *edit, key string, kv *mvccpb.KeyValue, sameEpoch bool, rejected map[string]int64) bool {
	value, err := f.decode(key, kv.Value)
	if err == nil {
		delete(rejected, key)
		next.trie.set(e, key, value, kv.ModRevision)
		f.keepRaw(next, e, key, kv.Value, kv.ModRevision)
		return true
	}
	if !sameEpoch || f.rejectedAt[key] != kv.ModRevision {
		f.tel.rejected(key, err)
	}
	rejected[key] = kv.ModRevision
	if was := old.trie.get(key); was != nil {
		next.trie.set(e, key, was.value, was.mod)
		if raw := old.raw.get(key); raw != nil {
			f.keepRaw(next, e, key, raw.value, raw.mod)
		}
	}
	return false
}

// relative returns a key below the prefix. It does not keep the prefix's bytes, of which
// there are as many copies as keys.
func (f *follower[T]) relative(key []byte) string {
	return string(bytes.TrimPrefix(key, []byte(f.prefix)))
}

// keepRaw keeps the bytes of a value, for the saved state.
func (f *follower[T]) keepRaw(next *state[T], e *edit, key string, raw []byte, mod int64) {
	if f.saved != "" {
		next.raw.set(e, key, raw, mod)
	}
}

// page is a part of a list.
type page struct {
	kvs      []*mvccpb.KeyValue
	more     bool
	revision int64
	cluster  uint64
	meta     string // value of meta/epoch
}

// firstPage reads the epoch and the first keys in one linearizable transaction.
func (f *follower[T]) firstPage(ctx context.Context) (page, error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), listTimeout)
	defer cancel()
	resp, err := f.client.Etcd().Txn(ctx).Then(
		clientv3.OpGet(f.client.Key("meta", "epoch")),
		clientv3.OpGet(f.prefix, clientv3.WithRange(clientv3.GetPrefixRangeEnd(f.prefix)), clientv3.WithLimit(pageSize)),
	).Commit()
	if err != nil {
		return page{}, fmt.Errorf("mirror: list %s: %w", f.name, err)
	}
	p := page{revision: resp.Header.Revision, cluster: resp.Header.ClusterId}
	if kvs := resp.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
		p.meta = string(kvs[0].Value)
	}
	r := resp.Responses[1].GetResponseRange()
	p.kvs, p.more = r.Kvs, r.More
	return p, nil
}

// nextPage reads the keys behind a page, at the list's revision.
func (f *follower[T]) nextPage(ctx context.Context, after page, revision int64) (page, error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), listTimeout)
	defer cancel()
	from := string(after.kvs[len(after.kvs)-1].Key) + "\x00"
	resp, err := f.client.Etcd().Get(ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(f.prefix)),
		clientv3.WithLimit(pageSize), clientv3.WithRev(revision))
	if err != nil {
		return page{}, fmt.Errorf("mirror: list %s: %w", f.name, err)
	}
	return page{kvs: resp.Kvs, more: resp.More}, nil
}

// epochOf returns the epoch that a list belongs to, and how many of the same name were
// before. A linearizable list that is behind what is held can only be another history,
// though it may not say so: an etcd that lost its data and was started again has the
// same cluster id.
func epochOf(p page, held coord.Epoch, revision int64, restarts int) (coord.Epoch, int) {
	named := func(restarts int) coord.Epoch {
		epoch := coord.NewEpoch(p.cluster, p.meta)
		if restarts > 0 {
			epoch += coord.Epoch(fmt.Sprintf("~%d", restarts))
		}
		return epoch
	}
	if named(restarts) == held && p.revision < revision {
		restarts++
	}
	return named(restarts), restarts
}

// watch applies changes until the watch ends; it always returns an error, which
// says why.
func (f *follower[T]) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	etcd := f.client.Etcd()
	from := f.state.Load().revision + 1
	changes := etcd.Watch(ctx, f.prefix, clientv3.WithRange(clientv3.GetPrefixRangeEnd(f.prefix)),
		clientv3.WithRev(from), clientv3.WithFragment())

	// The client would resume the watch by itself, even on an etcd that lost its
	// data, where the revision to resume from does not exist: look again instead.
	lost := make(chan struct{})
	f.wg.Go(func() {
		for conn := etcd.ActiveConnection(); conn.GetState() == connectivity.Ready; {
			if !conn.WaitForStateChange(ctx, connectivity.Ready) {
				return
			}
		}
		close(lost)
	})
	defer f.wg.Wait()
	defer cancel()

	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	var asked time.Time    // when this mirror wanted an answer, and has none yet
	answered := time.Now() // when that was asked which was answered last
	silence := max(3*f.interval, 10*time.Second)
	for {
		var gap time.Duration
		select {
		case resp, open := <-changes:
			switch {
			case !open:
				return errEnded
			case resp.Err() != nil:
				return fmt.Errorf("mirror: watch %s: %w", f.name, resp.Err())
			case resp.IsProgressNotify():
				f.advance(resp.Header.Revision)
				asked = time.Time{}
				// The answer says that nothing was missing when it was made, which
				// was after somebody asked.
				if at := f.asker.answered(answered); !at.IsZero() {
					f.knownCurrentAt(at)
					answered = at
				}
			case len(resp.Events) > 0:
				f.apply(resp)
			}
			continue
		case <-lost:
			return errLost
		case <-tick.C:
			gap = f.interval / 2
		case <-f.ask:
			gap = 0 // somebody waits
		case <-ctx.Done():
			return ctx.Err()
		}
		if !asked.IsZero() && time.Since(asked) > silence {
			return errSilent
		}
		if asked.IsZero() {
			asked = time.Now()
		}
		if err := f.asker.ask(ctx, gap); err != nil {
			return fmt.Errorf("mirror: watch %s: %w", f.name, err)
		}
	}
}

// advance takes over the revision that progress tells.
func (f *follower[T]) advance(revision int64) {
	old := f.state.Load()
	if revision <= old.revision {
		return
	}
	next := *old
	next.revision = revision
	f.publish(&next, false)
}

// apply publishes the changes of one answer, which holds whole revisions: etcd
// splits its answers between revisions, and the client joins fragments.
func (f *follower[T]) apply(resp clientv3.WatchResponse) {
	old := f.state.Load()
	// The header's revision may be ahead of what this answer holds, when the watch
	// is catching up: only the last change's is certain.
	last := resp.Events[len(resp.Events)-1].Kv.ModRevision
	next := *old
	next.revision = max(last, old.revision)
	e := &edit{}
	changed := false
	keys := make([]string, 0, len(resp.Events))
	for _, ev := range resp.Events {
		key := f.relative(ev.Kv.Key)
		was := next.trie.get(key)
		if was != nil && was.mod >= ev.Kv.ModRevision {
			continue // a list was newer
		}
		if ev.Type == clientv3.EventTypeDelete {
			delete(f.rejectedAt, key)
			if next.trie.remove(e, key) {
				changed = true
				keys = append(keys, key)
			}
			next.raw.remove(e, key)
			continue
		}
		changed = f.decodeInto(&next, &next, e, key, ev.Kv, true, f.rejectedAt) || changed
		keys = append(keys, key)
	}
	next.follow(keys)
	f.rejected.Store(int64(len(f.rejectedAt)))
	f.publish(&next, changed)
}
