// SPDX-License-Identifier: Apache-2.0

package versioned

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/otelplat/platform/coord"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// maxAttempts bounds the retries of a write that expects nothing and lost a race.
	maxAttempts = 10

	// maxConditions is how many etcd takes in one transaction. A change needs two, and one
	// for each of its chunks.
	maxConditions = 128

	// maxRecords bounds the records of one transaction, in bytes.
	maxRecords = 1 << 20
)

// Edit is a change of one document: a new revision, or the end of the head.
type Edit struct {
	PutOptions

	Name    string
	Content []byte
	Delete  bool // then Content, Author, Reason and Annotations do not count
}

// pending is an edit on its way.
type pending struct {
	name   string
	rev    Revision
	chunks [][]byte // of rev; nil when others wrote them
	delete bool
	expect int64
}

// Apply makes all edits or none, in one transaction, and returns the new revisions in
// their order (a zero one for a deletion). A reader that follows several of the documents
// may see one before the other, as they come from etcd: in one revision of etcd. Errors are
// those of [Store.Put], [ErrNotFound] for the deletion of what is not there, and
// [*LimitError] for more than fits a transaction: two conditions for each document, and one
// for each 512 KiB of it, 128 in all.
func (s *Store) Apply(ctx context.Context, edits []Edit) ([]Revision, error) {
	list := make([]*pending, 0, len(edits))
	seen := make(map[string]bool, len(edits))
	for i := range edits {
		e := &edits[i]
		if err := s.check(e.Name, e.Content, e.PutOptions); err != nil {
			return nil, err
		}
		if seen[e.Name] {
			return nil, &LimitError{"edits of " + e.Name, 2, 1}
		}
		seen[e.Name] = true
		list = append(list, pend(e))
	}
	if err := fits(list); err != nil {
		return nil, err
	}
	for _, p := range list {
		if err := s.writeChunks(ctx, p); err != nil {
			return nil, err
		}
	}
	if err := s.commit(ctx, list); err != nil {
		return nil, err
	}
	revs := make([]Revision, len(list))
	for i, p := range list {
		revs[i] = p.rev
	}
	return revs, nil
}

func pend(e *Edit) *pending {
	p := &pending{name: e.Name, expect: e.Expect, delete: e.Delete}
	if e.Delete {
		return p
	}
	p.rev = Revision{
		Author: e.Author, Reason: e.Reason, Time: time.Now(), Annotations: maps.Clone(e.Annotations),
		Hash: hash(e.Content), Size: int64(len(e.Content)), Chunks: []string{},
	}
	for chunk := range slices.Chunk(e.Content, chunkSize) {
		p.rev.Chunks = append(p.rev.Chunks, hash(chunk))
		p.chunks = append(p.chunks, chunk)
	}
	return p
}

// fits refuses what one transaction cannot hold.
func fits(list []*pending) error {
	conditions, size := 0, 0
	for _, p := range list {
		conditions += 2 + len(p.rev.Chunks)
		if raw, err := encodeRecord(p.rev); err == nil {
			size += 2 * len(raw)
		}
	}
	switch {
	case conditions > maxConditions:
		return &LimitError{"change set in conditions", conditions, maxConditions}
	case size > maxRecords:
		return &LimitError{"records of a change set, in bytes,", size, maxRecords}
	}
	return nil
}

// writeChunks writes the content. Chunks are named by their hash: to write one again
// changes nothing.
func (s *Store) writeChunks(ctx context.Context, p *pending) error {
	for i, chunk := range p.chunks {
		if _, err := s.client.Etcd().Put(ctx, s.key(p.name, "chunk", p.rev.Chunks[i]), string(chunk)); err != nil {
			return s.wrap("write", p.name, err)
		}
	}
	return nil
}

// commit gives the revisions their numbers and moves the heads. Chunks that somebody
// pruned meanwhile are written again.
func (s *Store) commit(ctx context.Context, list []*pending) error {
	if len(list) == 0 {
		return nil
	}
	for range maxAttempts {
		ifs, thens, err := s.plan(ctx, list)
		if err != nil {
			return err
		}
		resp, err := s.client.Etcd().Txn(ctx).If(ifs...).Then(thens...).Commit()
		switch {
		case err != nil && coord.Uncertain(err):
			return fmt.Errorf("%w: %w", ErrUncertain, s.wrap("write", list[0].name, err))
		case err != nil:
			return s.wrap("write", list[0].name, err)
		case resp.Succeeded:
			for _, p := range list {
				if !p.delete {
					p.rev.ModRevision = resp.Header.Revision
				}
			}
			return nil
		}
		for _, p := range list {
			if err := s.restore(ctx, p); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("versioned: %s %q: head moved %d times while writing", s.family, list[0].name, maxAttempts)
}

// restore makes sure that the chunks are there.
func (s *Store) restore(ctx context.Context, p *pending) error {
	if p.chunks != nil || p.delete {
		return s.writeChunks(ctx, p)
	}
	_, err := s.content(ctx, p.name, p.rev) // an older revision's, which may be pruned by now
	return err
}

// plan reads what there is, at one revision, and makes the transaction that changes it.
func (s *Store) plan(ctx context.Context, list []*pending) (ifs []clientv3.Cmp, thens []clientv3.Op, err error) {
	reads := make([]clientv3.Op, 0, 2*len(list))
	for _, p := range list {
		newest := append(clientv3.WithLastKey(), clientv3.WithPrefix())
		reads = append(reads, clientv3.OpGet(s.key(p.name, "head")), clientv3.OpGet(s.key(p.name, "rev")+"/", newest...))
	}
	resp, err := s.client.Etcd().Txn(ctx).Then(reads...).Commit()
	if err != nil {
		return nil, nil, s.wrap("read", list[0].name, err)
	}
	for i, p := range list {
		head, err := s.newest(p.name, resp.Responses[2*i].GetResponseRange().Kvs)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case p.delete && head.Number == 0:
			return nil, nil, s.wrap("delete", p.name, ErrNotFound)
		case p.expect != Any && head.Number != p.expect:
			return nil, nil, &ConflictError{s.family, p.name, p.expect, head.Number}
		}
		key := s.key(p.name, "head")
		ifs = append(ifs, clientv3.Compare(clientv3.ModRevision(key), "=", head.ModRevision))
		if p.delete {
			thens = append(thens, clientv3.OpDelete(key))
			continue
		}
		// Numbers go on after a delete: a revision, once written, is never written over.
		last, err := s.newest(p.name, resp.Responses[2*i+1].GetResponseRange().Kvs)
		if err != nil {
			return nil, nil, err
		}
		p.rev.Number = max(head.Number, last.Number) + 1
		value, err := encodeRecord(p.rev)
		if err != nil {
			return nil, nil, s.wrap("encode", p.name, err)
		}
		ifs = append(ifs, clientv3.Compare(clientv3.CreateRevision(s.revKey(p.name, p.rev.Number)), "=", 0))
		for _, sum := range slices.Compact(slices.Sorted(slices.Values(p.rev.Chunks))) {
			ifs = append(ifs, clientv3.Compare(clientv3.CreateRevision(s.key(p.name, "chunk", sum)), ">", 0))
		}
		thens = append(thens, clientv3.OpPut(key, string(value)), clientv3.OpPut(s.revKey(p.name, p.rev.Number), string(value)))
	}
	return ifs, thens, nil
}

// newest decodes a record that was read, zero when there is none.
func (s *Store) newest(name string, kvs []*mvccpb.KeyValue) (Revision, error) {
	if len(kvs) == 0 {
		return Revision{}, nil
	}
	rev, err := decodeRecord(kvs[0].Value)
	if err != nil {
		return Revision{}, s.wrap("read", name, err)
	}
	rev.ModRevision = kvs[0].ModRevision
	return rev, nil
}
