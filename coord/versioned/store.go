// SPDX-License-Identifier: Apache-2.0

package versioned

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/otelplat/platform/coord"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Any as the expected revision of [PutOptions] writes whatever the head is.
const Any = -1

// Store reads and writes the documents of one family.
type Store struct {
	client *coord.Client
	family Family
}

// New returns a store. It makes no request.
func New(c *coord.Client, family Family) *Store { return &Store{client: c, family: family} }

// PutOptions say who writes and what the writer has seen.
type PutOptions struct {
	Author      string
	Reason      string
	Annotations map[string]string

	// Expect is the number of the head that the writer saw: 0 when there must be
	// no document yet, [Any] to write over whatever is there.
	Expect int64
}

// Put writes a new revision and makes it the head. It returns [*ConflictError]
// when the head is not the expected one, [*LimitError] and [*coord.NameError] for
// bad input, before anything is sent, and [ErrUncertain]. Chunks are written first, the
// revision and the head in one transaction: a writer that dies leaves no half document.
func (s *Store) Put(ctx context.Context, name string, content []byte, opts PutOptions) (Revision, error) {
	revs, err := s.Apply(ctx, []Edit{{Name: name, Content: content, PutOptions: opts}})
	if err != nil {
		return Revision{}, err
	}
	return revs[0], nil
}

// Rollback makes the content of an older revision the newest one, with the
// annotations of that revision. Options' Annotations are ignored. Nothing is
// deleted, whatever the revision.
func (s *Store) Rollback(ctx context.Context, name string, to int64, opts PutOptions) (Revision, error) {
	if err := s.check(name, nil, opts); err != nil {
		return Revision{}, err
	}
	rev, err := s.revision(ctx, name, to)
	if err != nil {
		return Revision{}, err
	}
	rev.Author, rev.Reason, rev.Time = opts.Author, opts.Reason, time.Now()
	if rev.Reason == "" {
		rev.Reason = fmt.Sprintf("roll back to revision %d", to)
	}
	p := &pending{name: name, rev: rev, expect: opts.Expect}
	if err := s.commit(ctx, []*pending{p}); err != nil {
		return Revision{}, err
	}
	return p.rev, nil
}

// Get returns a revision with its content, number 0 for the head. It returns
// [ErrNotFound].
func (s *Store) Get(ctx context.Context, name string, number int64) (Document, error) {
	if err := coord.CheckName("document", name); err != nil {
		return Document{}, err
	}
	rev, err := s.record(ctx, name, number)
	if err != nil {
		return Document{}, err
	}
	content, err := s.content(ctx, name, rev)
	if err != nil {
		return Document{}, err
	}
	return Document{Name: name, Revision: rev, Content: content}, nil
}

// History returns the newest revisions, newest first, at most limit (0: 100).
func (s *Store) History(ctx context.Context, name string, limit int) ([]Revision, error) {
	if err := coord.CheckName("document", name); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = 100
	}
	prefix := s.key(name, "rev") + "/"
	resp, err := s.client.Etcd().Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithLimit(int64(limit)),
		clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend))
	if err != nil {
		return nil, s.wrap("read history of", name, err)
	}
	revs := make([]Revision, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		rev, err := decodeRecord(kv.Value)
		if err != nil {
			return nil, s.wrap("read history of", name, err)
		}
		rev.ModRevision = kv.ModRevision
		revs = append(revs, rev)
	}
	return revs, nil
}

// Delete removes the head: there is no current revision any more. The history
// stays, and a later Put goes on with its numbers. Expect is as in [PutOptions].
func (s *Store) Delete(ctx context.Context, name string, expect int64) error {
	_, err := s.Apply(ctx, []Edit{{Name: name, Delete: true, PutOptions: PutOptions{Expect: expect}}})
	return err
}

// List returns the names of the documents that have a head, in order.
func (s *Store) List(ctx context.Context) ([]string, error) {
	prefix := s.client.Key(string(s.family)) + "/"
	resp, err := s.client.Etcd().Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, fmt.Errorf("versioned: list %s: %w", s.family, err)
	}
	var names []string
	for _, kv := range resp.Kvs {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(string(kv.Key), prefix), "/head"); ok && !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	return names, nil
}

func (s *Store) check(name string, content []byte, opts PutOptions) error {
	if err := coord.CheckName("document", name); err != nil {
		return err
	}
	for _, l := range []LimitError{
		{"content", len(content), MaxContent},
		{"author", len(opts.Author), maxText},
		{"reason", len(opts.Reason), maxText},
		{"number of annotations", len(opts.Annotations), maxAnnotations},
	} {
		if l.Size > l.Limit {
			return &l
		}
	}
	for key, value := range opts.Annotations {
		if n := len(key) + len(value); n > maxText {
			return &LimitError{"annotation " + key, n, maxText}
		}
	}
	return nil
}

// head returns the head and its etcd revision; both zero when there is none.
func (s *Store) head(ctx context.Context, name string) (Revision, int64, error) {
	resp, err := s.client.Etcd().Get(ctx, s.key(name, "head"))
	if err != nil {
		return Revision{}, 0, s.wrap("read", name, err)
	}
	if len(resp.Kvs) == 0 {
		return Revision{}, 0, nil
	}
	rev, err := decodeRecord(resp.Kvs[0].Value)
	if err != nil {
		return Revision{}, 0, s.wrap("read", name, err)
	}
	rev.ModRevision = resp.Kvs[0].ModRevision
	return rev, rev.ModRevision, nil
}

func (s *Store) revision(ctx context.Context, name string, number int64) (Revision, error) {
	resp, err := s.client.Etcd().Get(ctx, s.revKey(name, number))
	if err != nil {
		return Revision{}, s.wrap("read", name, err)
	}
	if len(resp.Kvs) == 0 {
		return Revision{}, fmt.Errorf("versioned: %s %q revision %d: %w", s.family, name, number, ErrNotFound)
	}
	rev, err := decodeRecord(resp.Kvs[0].Value)
	if err != nil {
		return Revision{}, s.wrap("read", name, err)
	}
	rev.ModRevision = resp.Kvs[0].ModRevision
	return rev, nil
}

// content reads and verifies the chunks of a revision. Chunks are immutable: any
// member of etcd that has one has the right one, so no quorum is asked.
func (s *Store) content(ctx context.Context, name string, rev Revision) ([]byte, error) {
	content := make([]byte, 0, rev.Size)
	for _, sum := range rev.Chunks {
		key := s.key(name, "chunk", sum)
		resp, err := s.client.Etcd().Get(ctx, key, clientv3.WithSerializable())
		if err == nil && len(resp.Kvs) == 0 {
			resp, err = s.client.Etcd().Get(ctx, key) // the member may be behind
		}
		switch {
		case err != nil:
			return nil, s.wrap("read", name, err)
		case len(resp.Kvs) == 0:
			return nil, fmt.Errorf("versioned: %s %q revision %d: chunk %s is missing", s.family, name, rev.Number, sum)
		case hash(resp.Kvs[0].Value) != sum:
			return nil, fmt.Errorf("versioned: %s %q revision %d: chunk %s does not have its hash", s.family, name, rev.Number, sum)
		}
		content = append(content, resp.Kvs[0].Value...)
	}
	if int64(len(content)) != rev.Size || hash(content) != rev.Hash {
		return nil, fmt.Errorf("versioned: %s %q revision %d: content does not have its hash", s.family, name, rev.Number)
	}
	return content, nil
}

func (s *Store) key(name string, parts ...string) string {
	return s.client.Key(append([]string{string(s.family), name}, parts...)...)
}

func (s *Store) revKey(name string, number int64) string {
	return s.key(name, "rev", fmt.Sprintf("%012d", number))
}

func (s *Store) wrap(verb, name string, err error) error {
	return fmt.Errorf("versioned: %s %s %q: %w", verb, s.family, name, err)
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
