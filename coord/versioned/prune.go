// SPDX-License-Identifier: Apache-2.0

package versioned

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelplat/platform/coord"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// pruneBatch is how many keys one transaction deletes, of the 128 operations that etcd
// takes.
const pruneBatch = 100

// PruneOptions say which revisions go: those that are beyond Keep and older than OlderThan.
// The head, the newest, and those with a tag stay, whatever the options.
type PruneOptions struct {
	Keep      int           // newest revisions that stay; 1 is the least
	OlderThan time.Duration // by the writer's clock; 0: whatever the age
	DryRun    bool          // say what would go, and leave it
}

// Pruned is what a prune took away, or would.
type Pruned struct {
	Revisions []int64 // their numbers, ascending
	Chunks    int     // that no revision needs any more, those of writers that died too
}

// Prune deletes old revisions and the content that only they had. Writers go on meanwhile:
// each deletion holds only for the head and the tags that it was decided on, and is decided
// again when they moved; a writer whose chunk was deleted under it writes it again. It
// returns what is gone with an error too: [*LimitError], [*coord.NameError], etcd's.
func (s *Store) Prune(ctx context.Context, name string, opts PruneOptions) (Pruned, error) {
	if err := coord.CheckName("document", name); err != nil {
		return Pruned{}, err
	}
	if opts.Keep < 1 {
		return Pruned{}, &LimitError{"number of revisions to keep", opts.Keep, 1}
	}
	var gone Pruned
	for range maxAttempts {
		p, err := s.planPrune(ctx, name, opts)
		if err != nil {
			return gone, err
		}
		if opts.DryRun {
			return Pruned{p.numbers, len(p.chunks)}, nil
		}
		done, err := s.prune(ctx, name, p, &gone)
		if done || err != nil {
			return gone, err
		}
	}
	return gone, fmt.Errorf("versioned: %s %q: it moved %d times while pruning", s.family, name, maxAttempts)
}

// prunePlan is what can go, as of a revision of etcd.
type prunePlan struct {
	at      int64
	head    int64 // etcd's revision of the head, 0 for none
	numbers []int64
	chunks  []string
}

func (s *Store) planPrune(ctx context.Context, name string, opts PruneOptions) (prunePlan, error) {
	keys, prefix := append(clientv3.WithLastKey(), clientv3.WithPrefix()), s.key(name)+"/"
	resp, err := s.client.Etcd().Txn(ctx).Then(
		clientv3.OpGet(prefix+"head"),
		clientv3.OpGet(prefix+"tag/", clientv3.WithPrefix()),
		clientv3.OpGet(prefix+"rev/", keys...),
	).Commit()
	if err != nil {
		return prunePlan{}, s.wrap("read", name, err)
	}
	p := prunePlan{at: resp.Header.Revision}
	stays := make(map[int64]bool)
	head, err := s.newest(name, resp.Responses[0].GetResponseRange().Kvs)
	if err != nil {
		return prunePlan{}, err
	}
	p.head = head.ModRevision
	stays[head.Number] = true
	for _, kv := range resp.Responses[1].GetResponseRange().Kvs {
		number, err := decodeTag(kv.Value)
		if err != nil {
			return prunePlan{}, s.wrap("read tags of", name, err)
		}
		stays[number] = true
	}
	newest, err := s.newest(name, resp.Responses[2].GetResponseRange().Kvs)
	if err != nil || newest.Number == 0 {
		return p, err
	}
	needed := make(map[string]bool)
	for older := newest.Number + 1; older > 0; {
		page, err := s.before(ctx, name, older, p.at)
		if err != nil || len(page) == 0 {
			if err != nil {
				return prunePlan{}, err
			}
			break
		}
		for _, rev := range page {
			old := opts.OlderThan == 0 || time.Since(rev.Time) > opts.OlderThan
			if newest.Number-rev.Number >= int64(opts.Keep) && old && !stays[rev.Number] {
				p.numbers = append(p.numbers, rev.Number)
				continue
			}
			for _, sum := range rev.Chunks {
				needed[sum] = true
			}
		}
		older = page[len(page)-1].Number
	}
	slices.Sort(p.numbers)
	p.chunks, err = s.unneeded(ctx, name, p.at, needed)
	return p, err
}

// before returns a page of the revisions before a number, the newest first, as of a
// revision of etcd.
func (s *Store) before(ctx context.Context, name string, number, at int64) ([]Revision, error) {
	resp, err := s.client.Etcd().Get(ctx, s.key(name, "rev")+"/", clientv3.WithRange(s.revKey(name, number)),
		clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend), clientv3.WithLimit(pruneBatch), clientv3.WithRev(at))
	if err != nil {
		return nil, s.wrap("read", name, err)
	}
	page := make([]Revision, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		rev, err := s.newest(name, []*mvccpb.KeyValue{kv})
		if err != nil {
			return nil, err
		}
		page = append(page, rev)
	}
	return page, nil
}

// unneeded returns the hashes of the chunks that are not needed.
func (s *Store) unneeded(ctx context.Context, name string, at int64, needed map[string]bool) ([]string, error) {
	prefix := s.key(name, "chunk") + "/"
	resp, err := s.client.Etcd().Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithRev(at))
	if err != nil {
		return nil, s.wrap("read", name, err)
	}
	var list []string
	for _, kv := range resp.Kvs {
		if sum := strings.TrimPrefix(string(kv.Key), prefix); !needed[sum] {
			list = append(list, sum)
		}
	}
	return list, nil
}

// prune carries a plan out, the revisions before the chunks that they had. It returns false
// when the document moved meanwhile.
func (s *Store) prune(ctx context.Context, name string, p prunePlan, gone *Pruned) (bool, error) {
	guard := []clientv3.Cmp{
		clientv3.Compare(clientv3.ModRevision(s.key(name, "head")), "=", p.head),
		clientv3.Compare(clientv3.ModRevision(s.key(name, "tag")+"/"), "<", p.at+1).WithPrefix(),
	}
	for batch := range slices.Chunk(p.numbers, pruneBatch) {
		deletes := make([]clientv3.Op, 0, len(batch))
		for _, number := range batch {
			deletes = append(deletes, clientv3.OpDelete(s.revKey(name, number)))
		}
		resp, err := s.client.Etcd().Txn(ctx).If(guard...).Then(deletes...).Commit()
		if err != nil || !resp.Succeeded {
			return false, s.wrapIf("prune", name, err)
		}
		gone.Revisions = append(gone.Revisions, batch...)
	}
	for batch := range slices.Chunk(p.chunks, pruneBatch) {
		deletes := make([]clientv3.Op, 0, len(batch))
		for _, sum := range batch {
			deletes = append(deletes, clientv3.OpDelete(s.key(name, "chunk", sum)))
		}
		resp, err := s.client.Etcd().Txn(ctx).If(guard...).Then(deletes...).Commit()
		if err != nil || !resp.Succeeded {
			return false, s.wrapIf("prune", name, err)
		}
		gone.Chunks += len(batch)
	}
	return true, nil
}

func (s *Store) wrapIf(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return s.wrap(verb, name, err)
}
