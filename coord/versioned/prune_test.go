// SPDX-License-Identifier: Apache-2.0

package versioned_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/versioned"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestTagsNameRevisions(t *testing.T) {
	ctx := t.Context()
	s := versioned.New(coordtest.Client(t, coordtest.Etcd(t)), versioned.Config)
	for i := range 3 {
		put(t, s, "shop", fmt.Sprint(i), versioned.Any)
	}
	if rev, err := s.Tag(ctx, "shop", "stable", 2, "ada"); err != nil || rev.Number != 2 {
		t.Errorf("%+v, %v", rev, err)
	}
	if rev, err := s.Tag(ctx, "shop", "newest", 0, "ada"); err != nil || rev.Number != 3 {
		t.Errorf("the head: %+v, %v", rev, err)
	}
	if rev, err := s.Tag(ctx, "shop", "stable", 1, "ada"); err != nil || rev.Number != 1 {
		t.Errorf("a tag that moves: %+v, %v", rev, err)
	}
	if tags, err := s.Tags(ctx, "shop"); err != nil || len(tags) != 2 || tags["stable"] != 1 || tags["newest"] != 3 {
		t.Errorf("%v, %v", tags, err)
	}
	if n, err := s.Tagged(ctx, "shop", "stable"); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	if err := s.Untag(ctx, "shop", "stable"); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"a tag that is gone":   s.Untag(ctx, "shop", "stable"),
		"a tag of no revision": second(s.Tag(ctx, "shop", "x", 9, "")),
		"a tag of no document": second(s.Tag(ctx, "none", "x", 0, "")),
		"a tag that never was": second(s.Tagged(ctx, "shop", "never")),
	} {
		if !errors.Is(err, versioned.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Tag(ctx, "shop", "a/b", 0, ""); !isName(err) {
		t.Errorf("a name with a slash: %v", err)
	}
	for i := range versioned.MaxTags - 1 {
		if _, err := s.Tag(ctx, "shop", fmt.Sprint("t", i), 1, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Tag(ctx, "shop", "one-more", 1, ""); !isLimit(err) {
		t.Errorf("more than %d tags: %v", versioned.MaxTags, err)
	}
}

func second[T any](_ T, err error) error { return err }

func isLimit(err error) bool {
	_, ok := errors.AsType[*versioned.LimitError](err)
	return ok
}

func chunks(t *testing.T, c *coord.Client, name string) int64 {
	t.Helper()
	resp, err := c.Etcd().Get(t.Context(), c.Key("config", name, "chunk")+"/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		t.Fatal(err)
	}
	return resp.Count
}

func TestPruneTakesWhatIsOldAndNamedByNothing(t *testing.T) {
	ctx := t.Context()
	c := coordtest.Client(t, coordtest.Etcd(t))
	s := versioned.New(c, versioned.Config)
	for i := range 250 { // more than one page and one batch
		put(t, s, "shop", fmt.Sprint("content ", i%240), versioned.Any)
	}
	if _, err := s.Tag(ctx, "shop", "stable", 5, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Etcd().Put(ctx, c.Key("config", "shop", "chunk", "0123"), "of a writer that died"); err != nil {
		t.Fatal(err)
	}
	for what, opts := range map[string]versioned.PruneOptions{
		"a dry run":          {Keep: 1, DryRun: true},
		"none is old enough": {Keep: 1, OlderThan: time.Hour},
		"all are kept":       {Keep: 250},
	} {
		p, err := s.Prune(ctx, "shop", opts)
		if want := map[bool]int{true: 248, false: 0}[opts.DryRun]; err != nil || len(p.Revisions) != want {
			t.Errorf("%s: %d revisions, want %d, %v", what, len(p.Revisions), want, err)
		}
		if history, err := s.History(ctx, "shop", 1000); err != nil || len(history) != 250 {
			t.Errorf("%s: %d revisions are left, %v", what, len(history), err)
		}
	}
	p, err := s.Prune(ctx, "shop", versioned.PruneOptions{Keep: 3})
	if err != nil || len(p.Revisions) != 246 || slices.Contains(p.Revisions, 5) || !slices.IsSorted(p.Revisions) {
		t.Errorf("%d revisions, %v", len(p.Revisions), err)
	}
	if n := chunks(t, c, "shop"); n != 4 {
		t.Errorf("%d chunks for four contents", n)
	}
	for number, want := range map[int64]string{5: "content 4", 248: "content 7", 250: "content 9", 0: "content 9"} {
		if got := get(t, s, "shop", number); got != want {
			t.Errorf("revision %d is %q", number, got)
		}
	}
	if _, err := s.Rollback(ctx, "shop", 100, versioned.PutOptions{Expect: versioned.Any}); !errors.Is(err, versioned.ErrNotFound) {
		t.Errorf("a rollback to what was pruned: %v", err)
	}
	// A document whose head was deleted keeps its newest number.
	if err := s.Delete(ctx, "shop", versioned.Any); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(ctx, "shop", versioned.PruneOptions{Keep: 1}); err != nil {
		t.Error(err)
	}
	if rev := put(t, s, "shop", "new", 0); rev.Number != 251 {
		t.Errorf("the next is %d", rev.Number)
	}
	if _, err := s.Prune(ctx, "shop", versioned.PruneOptions{}); !isLimit(err) {
		t.Errorf("keep none: %v", err)
	}
	if p, err := s.Prune(ctx, "none", versioned.PruneOptions{Keep: 1}); err != nil || len(p.Revisions) != 0 {
		t.Errorf("no document: %+v, %v", p, err)
	}
}

// Writers that write the same few contents again and again, while pruning goes on: every
// head can be read, whatever was deleted under its writer.
func TestPruneWhileWritersWrite(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	s := versioned.New(c, versioned.Config)
	put(t, s, "shop", "0", 0)
	done := make(chan struct{})
	var pruning, writing sync.WaitGroup
	pruned := 0
	pruning.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			p, err := s.Prune(t.Context(), "shop", versioned.PruneOptions{Keep: 1})
			if err != nil && p.Revisions == nil { // busy: it moved ten times
				continue
			}
			pruned += len(p.Revisions)
		}
	})
	for w := range 3 {
		writing.Go(func() {
			for i := range 30 {
				content := fmt.Sprint((w + i) % 4)
				if _, err := s.Put(t.Context(), "shop", []byte(content), versioned.PutOptions{Expect: versioned.Any}); err != nil {
					t.Error(err)
				}
				if _, err := s.Get(t.Context(), "shop", 0); err != nil && !errors.Is(err, versioned.ErrNotFound) {
					// Between its head and its content another writer came, and the old content went.
					if _, err := s.Get(t.Context(), "shop", 0); err != nil {
						t.Logf("twice in a row: %v", err)
					}
				}
			}
		})
	}
	writing.Wait()
	close(done)
	pruning.Wait()
	if doc, err := s.Get(t.Context(), "shop", 0); err != nil || doc.Revision.Number != 91 {
		t.Errorf("head %d, %v", doc.Revision.Number, err)
	}
	history, err := s.History(t.Context(), "shop", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, rev := range history {
		if _, err := s.Get(t.Context(), "shop", rev.Number); err != nil {
			t.Errorf("revision %d: %v", rev.Number, err)
		}
	}
	t.Logf("%d of 91 revisions pruned meanwhile", pruned)
}

func TestAChangeSetIsAllOrNothing(t *testing.T) {
	ctx := t.Context()
	c := coordtest.Client(t, coordtest.Etcd(t))
	s := versioned.New(c, versioned.Config)
	put(t, s, "a", "1", 0)
	put(t, s, "b", "1", 0)
	by := func(expect int64) versioned.PutOptions {
		return versioned.PutOptions{Author: "ada", Reason: "together", Expect: expect}
	}
	edit := func(name, content string, expect int64) versioned.Edit {
		return versioned.Edit{Name: name, Content: []byte(content), PutOptions: by(expect)}
	}
	_, err := s.Apply(ctx, []versioned.Edit{edit("a", "2", 1), edit("b", "2", 7), edit("c", "2", 0)})
	conflict, ok := errors.AsType[*versioned.ConflictError](err)
	if !ok || conflict.Name != "b" || conflict.Actual != 1 {
		t.Errorf("%v, want a conflict of b", err)
	}
	if a := get(t, s, "a", 0); a != "1" {
		t.Errorf("after it a is %q", a)
	}
	revs, err := s.Apply(ctx, []versioned.Edit{edit("a", "2", 1), {Name: "b", Delete: true, PutOptions: by(1)}, edit("c", "2", 0)})
	if err != nil || len(revs) != 3 || revs[0].Number != 2 || revs[1].Number != 0 || revs[2].Number != 1 || revs[0].ModRevision != revs[2].ModRevision {
		t.Errorf("%+v, %v", revs, err)
	}
	if _, err := s.Get(ctx, "b", 0); !errors.Is(err, versioned.ErrNotFound) {
		t.Errorf("b: %v", err)
	}
	if _, err := s.Apply(ctx, []versioned.Edit{edit("a", "3", 2), {Name: "none", Delete: true, PutOptions: by(versioned.Any)}}); !errors.Is(err, versioned.ErrNotFound) {
		t.Errorf("the deletion of nothing: %v", err)
	}
	if _, err := s.Apply(ctx, []versioned.Edit{edit("a", "3", 2), edit("a", "4", 2)}); !isLimit(err) {
		t.Errorf("one document twice: %v", err)
	}
	if revs, err := s.Apply(ctx, nil); err != nil || len(revs) != 0 {
		t.Errorf("nothing: %v, %v", revs, err)
	}
}

// The largest of everything goes, one more does not, and then nothing is written.
func TestLimits(t *testing.T) {
	ctx := t.Context()
	c := coordtest.Client(t, coordtest.Etcd(t))
	s := versioned.New(c, versioned.Config)
	const chunk = 512 << 10
	for i, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, versioned.MaxContent} {
		content := bytes.Repeat([]byte{byte('a' + i)}, size)
		for n := range content {
			content[n] += byte(n / chunk) // no two chunks alike
		}
		rev, err := s.Put(ctx, "sizes", content, versioned.PutOptions{Expect: versioned.Any})
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if want := (size + chunk - 1) / chunk; len(rev.Chunks) != want {
			t.Errorf("%d bytes in %d chunks, want %d", size, len(rev.Chunks), want)
		}
		doc, err := s.Get(ctx, "sizes", 0)
		if err != nil || !bytes.Equal(doc.Content, content) {
			t.Errorf("%d bytes come back as %d, %v", size, len(doc.Content), err)
		}
	}
	if _, err := s.Put(ctx, "sizes", make([]byte, versioned.MaxContent+1), versioned.PutOptions{Expect: versioned.Any}); !isLimit(err) {
		t.Errorf("one byte too many: %v", err)
	}
	var set []versioned.Edit
	for i := range 64 { // two conditions each
		set = append(set, versioned.Edit{Name: fmt.Sprint("d", i)})
	}
	if _, err := s.Apply(ctx, set); err != nil {
		t.Errorf("64 empty documents: %v", err)
	}
	for i := range set {
		set[i].Expect = 1
	}
	set[0].Content = []byte("one chunk")
	if _, err := s.Apply(ctx, set); !isLimit(err) {
		t.Errorf("one condition too many: %v", err)
	}
	if n := chunks(t, c, "d0"); n != 0 {
		t.Error("a chunk of what was refused was written")
	}
}
