// SPDX-License-Identifier: Apache-2.0

package versioned

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/mirror"
	"github.com/otelplat/platform/internal/statefile"
	"github.com/otelplat/platform/internal/wake"
)

// retryContent is the pause after a read of a revision's chunks failed.
const retryContent = 500 * time.Millisecond

// contentTimeout bounds the read of a revision's content.
const contentTimeout = 10 * time.Second

// Follower keeps the current revision of one document in memory. Reads are
// lock-free.
type Follower struct {
	store   *Store
	name    string
	heads   *mirror.Mirror[Revision]
	current atomic.Pointer[held]
	loaded  chan struct{} // closed when the first state is known
	updates wake.Set
	saved   string // file of the content; "" for none
	tel     telemetry
	cancel  context.CancelFunc
	done    chan struct{}
}

// held is what a follower knows: no document, or one.
type held struct {
	doc    Document
	exists bool
}

// Follow returns a follower of a document, which need not exist. It does not
// wait for etcd. With a state directory ([coord.WithStateDir]) the document is kept there
// too, verified when it is read, and is the current one while etcd is away at the start. The
// context is for the call only; close the follower before the client.
func Follow(ctx context.Context, c *coord.Client, family Family, name string) (*Follower, error) {
	if err := coord.CheckName("document", name); err != nil {
		return nil, err
	}
	heads, err := mirror.Open(ctx, c, string(family)+"/"+name+"/head", func(_ string, value []byte) (Revision, error) {
		return decodeRecord(value)
	}, mirror.WithSavedState())
	if err != nil {
		return nil, fmt.Errorf("versioned: follow %s %q: %w", family, name, err)
	}
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	f := &Follower{
		store: New(c, family), name: name, heads: heads,
		loaded: make(chan struct{}), cancel: cancel, done: make(chan struct{}),
	}
	if dir := c.StateDir(); dir != "" {
		f.saved = filepath.Join(dir, "document", url.PathEscape(c.Key(string(family), name)))
	}
	f.tel = observe(f)
	go f.run(run)
	return f, nil
}

// Current returns the current revision; ok is false when the document does not
// exist, was deleted, or was not loaded yet ([Follower.WaitReady] tells).
func (f *Follower) Current() (doc Document, ok bool) {
	h := f.current.Load()
	if h == nil || !h.exists {
		return Document{}, false
	}
	return h.doc, true
}

// WaitReady waits until it is known whether the document exists, and its content
// was read if it does.
func (f *Follower) WaitReady(ctx context.Context) error {
	select {
	case <-f.loaded:
		return nil
	default:
	}
	select {
	case <-f.loaded:
		return nil
	case <-f.done:
		return mirror.ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("versioned: %s %q not loaded: %w", f.store.family, f.name, ctx.Err())
	}
}

// Updates returns a channel that is sent to after the current revision changed
// (a deletion is a change), at once when one is loaded, and closed when the
// context or the follower ends. It holds one mark.
func (f *Follower) Updates(ctx context.Context) <-chan struct{} {
	return f.updates.Add(ctx, func() bool { return f.current.Load() != nil })
}

// Age returns how long ago the head was known to be current.
func (f *Follower) Age() time.Duration { return f.heads.Age() }

// Close stops the follower and waits. What it held can still be read.
func (f *Follower) Close() error {
	f.cancel()
	<-f.done
	f.tel.end()
	return f.heads.Close()
}

// run reads the content of each new head. A read that fails is tried again and
// leaves what was held.
func (f *Follower) run(ctx context.Context) {
	defer close(f.done)
	defer f.updates.Close()
	updates := f.heads.Updates(ctx)
	var retry <-chan time.Time
	for {
		select {
		case _, open := <-updates:
			if !open {
				return
			}
		case <-retry:
		}
		retry = nil
		if !f.load(ctx) {
			retry = time.After(retryContent)
		}
	}
}

// load takes over the newest head and reports whether that is done.
func (f *Follower) load(ctx context.Context) bool {
	rev, exists := f.heads.Get("")
	was := f.current.Load()
	switch {
	case !exists:
		if was != nil && !was.exists {
			return true
		}
		f.publish(&held{})
		return true
	case was != nil && was.exists && was.doc.Revision.Number == rev.Number && was.doc.Revision.Hash == rev.Hash:
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, contentTimeout)
	defer cancel()
	content, err := f.content(ctx, rev)
	if err != nil {
		f.store.client.Logger().DebugContext(ctx, "versioned: content not read, trying again", "document", f.name, "error", err)
		return false
	}
	f.publish(&held{doc: Document{Name: f.name, Revision: rev, Content: content}, exists: true})
	return true
}

// content reads a revision's content from the state directory when it is there, else from
// etcd.
func (f *Follower) content(ctx context.Context, rev Revision) ([]byte, error) {
	if f.saved != "" {
		if content, err := statefile.Read(f.saved, MaxContent); err == nil && hash(content) == rev.Hash {
			return content, nil
		}
	}
	content, err := f.store.content(ctx, f.name, rev)
	if err != nil || f.saved == "" {
		return content, err
	}
	err = statefile.Write(f.saved, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	if err != nil { // the next start needs etcd
		f.store.client.Logger().WarnContext(ctx, "versioned: document not saved", "document", f.name, "error", err)
	}
	return content, nil
}

func (f *Follower) publish(h *held) {
	first := f.current.Swap(h) == nil
	if first {
		close(f.loaded)
	}
	f.updates.Notify()
}
