// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
)

// patience is how long a backend may take to show something.
const patience = 20 * time.Second

// KV tests a backend of the key-value store. Open returns a new, empty one, and locks
// whose tokens it can be given, which the suite closes.
func KV(t *testing.T, open func(t *testing.T) (kv.Backend, lock.Locker)) {
	for name, f := range map[string]func(*testing.T, *kv.Store){
		"a key is as it was written last":                          kvPutGet,
		"an absent key is not found, and deleting it no error":     kvAbsent,
		"compare-and-swap wants the revision that was seen":        kvCompareAndSwap,
		"a commit is all or nothing":                               kvCommit,
		"of concurrent updates none is lost":                       kvUpdate,
		"a list comes in order and in pages":                       kvList,
		"a prefix is a prefix and not a part of a path":            kvPrefix,
		"a key with a TTL vanishes, not before its time":           kvTTL,
		"a write without a TTL makes a key permanent":              kvPersist,
		"a watch tells what is there, then what changes":           kvWatch,
		"a slow watcher holds up nobody and sees the newest":       kvSlowWatcher,
		"watches end with the context and with Close":              kvEnd,
		"what breaks a limit is refused by name before it is sent": kvLimits,
		"an ended context writes nothing":                          kvContext,
		"reads of any age come to the newest":                      kvStaleness,
		"values have a type":                                       kvTyped,
		"keys of one TTL vanish each in its time":                  kvTTLs,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := openKV(t, open)
			f(t, s)
		})
	}
	t.Run("a write under a lock that another took is refused", func(t *testing.T) {
		t.Parallel()
		s, locks := openKV(t, open)
		kvFenced(t, s, locks)
	})
}

func openKV(t *testing.T, open func(t *testing.T) (kv.Backend, lock.Locker)) (*kv.Store, lock.Locker) {
	backend, locks := open(t)
	s := kv.New(backend)
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), locks.Close()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s, locks
}

func mustPut(t *testing.T, s *kv.Store, key, value string, opts ...kv.WriteOption) int64 {
	t.Helper()
	revision, err := s.Put(t.Context(), key, []byte(value), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func kvPutGet(t *testing.T, s *kv.Store) {
	first := mustPut(t, s, "a/b", "1")
	second := mustPut(t, s, "a/b", "2")
	e, err := s.Get(t.Context(), "a/b")
	if err != nil || string(e.Value) != "2" || e.Key != "a/b" || e.Revision != second || second <= first {
		t.Errorf("got %+v, %v after writes at %d and %d", e, err, first, second)
	}
	if empty := mustPut(t, s, "empty", ""); empty <= second {
		t.Errorf("revision %d after %d", empty, second)
	}
	if e, err := s.Get(t.Context(), "empty"); err != nil || len(e.Value) != 0 {
		t.Errorf("an empty value: %+v, %v", e, err)
	}
}

func kvAbsent(t *testing.T, s *kv.Store) {
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	mustPut(t, s, "a", "1")
	for range 2 {
		if err := s.Delete(t.Context(), "a"); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("Get after Delete: %v", err)
	}
}

func kvCompareAndSwap(t *testing.T, s *kv.Store) {
	ctx := t.Context()
	first, err := s.CompareAndSwap(ctx, "a", 0, []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	wantConflict(t, 0, first)(s.CompareAndSwap(ctx, "a", 0, []byte("x")))
	second, err := s.CompareAndSwap(ctx, "a", first, []byte("2"))
	if err != nil {
		t.Fatal(err)
	}
	wantConflict(t, first, second)(s.CompareAndSwap(ctx, "a", first, []byte("x")))
	wantConflict(t, first, second)(0, s.CompareAndDelete(ctx, "a", first))
	if err := s.CompareAndDelete(ctx, "a", second); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, second, 0)(s.CompareAndSwap(ctx, "a", second, []byte("x")))
}

func wantConflict(t *testing.T, expected, actual int64) func(int64, error) {
	return func(_ int64, err error) {
		t.Helper()
		var c *kv.ConflictError
		if !errors.As(err, &c) || c.Key != "a" || c.Expected != expected || c.Actual != actual {
			t.Errorf("got %v, want a conflict of %d with %d", err, expected, actual)
		}
	}
}

func kvCommit(t *testing.T, s *kv.Store) {
	ctx := t.Context()
	a := mustPut(t, s, "a", "1")
	b := mustPut(t, s, "b", "1")
	both := []kv.Operation{{Key: "a", Value: []byte("2")}, {Key: "b", Delete: true}, {Key: "c", Value: []byte("2")}}
	wantConflict(t, b, a)(s.Commit(ctx, []kv.Condition{{Key: "b", Revision: b}, {Key: "a", Revision: b}}, both))
	if e, err := s.Get(ctx, "b"); err != nil || string(e.Value) != "1" {
		t.Errorf("after a refused commit: %+v, %v", e, err)
	}
	revision, err := s.Commit(ctx, []kv.Condition{{Key: "a", Revision: a}, {Key: "c"}}, both)
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.List(ctx, kv.Query{})
	if err != nil || len(page.Entries) != 2 || page.Entries[0].Revision != revision || page.Entries[1].Revision != revision {
		t.Errorf("after the commit at %d: %+v, %v", revision, page, err)
	}
	if _, err := s.Commit(ctx, []kv.Condition{{Key: "a", Revision: revision}}, nil); err != nil {
		t.Errorf("a commit of conditions only: %v", err)
	}
}

func kvUpdate(t *testing.T, s *kv.Store) {
	const writers, each = 4, 8
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				_, err := s.Update(t.Context(), "n", func(e kv.Entry) ([]byte, error) {
					n, _ := strconv.Atoi(string(e.Value)) // absent: 0
					return []byte(strconv.Itoa(n + 1)), nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if e, err := s.Get(t.Context(), "n"); err != nil || string(e.Value) != strconv.Itoa(writers*each) {
		t.Errorf("%s, %v after %d updates", e.Value, err, writers*each)
	}
	stop := errors.New("stop")
	if _, err := s.Update(t.Context(), "n", func(kv.Entry) ([]byte, error) { return nil, stop }); !errors.Is(err, stop) {
		t.Errorf("the function's error: %v", err)
	}
}

func kvList(t *testing.T, s *kv.Store) {
	for i := range 25 {
		mustPut(t, s, fmt.Sprintf("p/%02d", (i*7)%25), "v")
	}
	var keys []string
	q := kv.Query{Prefix: "p/", Limit: 10}
	for pages := 1; ; pages++ {
		page, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			keys = append(keys, e.Key)
		}
		if !page.More {
			if pages != 3 {
				t.Errorf("%d pages of 10 for 25 keys", pages)
			}
			break
		}
		q.After = page.Entries[len(page.Entries)-1].Key
	}
	for i, key := range keys {
		if key != fmt.Sprintf("p/%02d", i) {
			t.Fatalf("key %d is %s", i, key)
		}
	}
	if len(keys) != 25 {
		t.Errorf("%d keys", len(keys))
	}
}

func kvPrefix(t *testing.T, s *kv.Store) {
	for _, key := range []string{"a", "a/1", "ab", "b", "a/2/3"} {
		mustPut(t, s, key, key)
	}
	for prefix, want := range map[string]string{"a/": "a/1 a/2/3", "a": "a a/1 a/2/3 ab", "": "a a/1 a/2/3 ab b", "z": ""} {
		page, err := s.List(t.Context(), kv.Query{Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range page.Entries {
			got = append(got, e.Key)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("prefix %q: %v, want %s", prefix, got, want)
		}
	}
}

func kvTTL(t *testing.T, s *kv.Store) {
	const ttl = time.Second
	began := time.Now()
	mustPut(t, s, "a", "1", kv.WithTTL(ttl))
	Eventually(t, patience, func() bool {
		_, err := s.Get(t.Context(), "a")
		return errors.Is(err, kv.ErrNotFound)
	}, "the key vanishes")
	if after := time.Since(began); after < ttl {
		t.Errorf("vanished after %v, before its TTL of %v", after, ttl)
	}
}

func kvPersist(t *testing.T, s *kv.Store) {
	mustPut(t, s, "a", "1", kv.WithTTL(time.Second))
	mustPut(t, s, "a", "2")
	mustPut(t, s, "b", "1", kv.WithTTL(time.Second))
	Eventually(t, patience, func() bool {
		_, err := s.Get(t.Context(), "b")
		return errors.Is(err, kv.ErrNotFound)
	}, "the key with the same TTL vanishes")
	if e, err := s.Get(t.Context(), "a"); err != nil || string(e.Value) != "2" {
		t.Errorf("%+v, %v", e, err)
	}
}

func kvWatch(t *testing.T, s *kv.Store) {
	mustPut(t, s, "w/a", "1")
	mustPut(t, s, "other", "1")
	changes, err := s.Watch(t.Context(), "w/")
	if err != nil {
		t.Fatal(err)
	}
	wantChange(t, changes, kv.Put, "w/a", "1")
	wantChange(t, changes, kv.Synced, "", "")
	mustPut(t, s, "w/b", "2")
	wantChange(t, changes, kv.Put, "w/b", "2")
	mustPut(t, s, "other", "2")
	mustPut(t, s, "w/a", "3")
	wantChange(t, changes, kv.Put, "w/a", "3")
	if err := s.Delete(t.Context(), "w/b"); err != nil {
		t.Fatal(err)
	}
	wantChange(t, changes, kv.Deleted, "w/b", "")
}

func wantChange(t *testing.T, changes <-chan kv.Change, kind kv.ChangeKind, key, value string) {
	t.Helper()
	select {
	case c, open := <-changes:
		if !open || c.Kind != kind || c.Key != key || string(c.Value) != value {
			t.Fatalf("got %+v (open: %v), want kind %d of %q with %q", c, open, kind, key, value)
		}
	case <-time.After(patience):
		t.Fatalf("no change, want kind %d of %q", kind, key)
	}
}

func kvSlowWatcher(t *testing.T, s *kv.Store) {
	changes, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	const writes = 50
	for i := range writes {
		mustPut(t, s, "a", strconv.Itoa(i))
	}
	deadline := time.After(patience)
	for n := 0; ; n++ {
		select {
		case c := <-changes:
			if string(c.Value) == strconv.Itoa(writes-1) {
				if n > writes+1 {
					t.Errorf("%d changes for %d writes", n, writes)
				}
				return
			}
		case <-deadline:
			t.Fatal("the newest value never came")
		}
	}
}

func kvEnd(t *testing.T, s *kv.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	byContext, err := s.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	byClose, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	wantEnd(t, byContext)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, byClose)
	if _, err := s.Watch(t.Context(), ""); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Watch after Close: %v", err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Get after Close: %v", err)
	}
	if _, err := s.List(t.Context(), kv.Query{}); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("List after Close: %v", err)
	}
	if _, err := s.Put(t.Context(), "a", nil); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Put after Close: %v", err)
	}
}

func wantEnd(t *testing.T, changes <-chan kv.Change) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, open := <-changes:
			if !open {
				return
			}
		case <-deadline:
			t.Fatal("the watch does not end")
		}
	}
}

func kvLimits(t *testing.T, s *kv.Store) {
	put := func(key string, size int, opts ...kv.WriteOption) error {
		_, err := s.Put(t.Context(), key, bytes.Repeat([]byte("x"), size), opts...)
		return err
	}
	for _, key := range []string{"", "/a", "a/", "a//b", "..", "a/../b", "a\x00b", "a\nb", "\xff", strings.Repeat("k", kv.MaxKey+1)} {
		var e *kv.KeyError
		if err := put(key, 1); !errors.As(err, &e) {
			t.Errorf("key %q: %v", key, err)
		}
	}
	var limit *kv.LimitError
	if err := put("a", kv.MaxValue+1); !errors.As(err, &limit) || limit.Limit != kv.MaxValue {
		t.Errorf("a value that is too large: %v", err)
	}
	if err := put("a", kv.MaxValue); err != nil {
		t.Errorf("the largest value: %v", err)
	}
	if err := put("a", 1, kv.WithTTL(time.Millisecond)); err == nil {
		t.Error("a TTL below a second was taken")
	}
	var many []kv.Operation
	for i := range kv.MaxOperations {
		many = append(many, kv.Operation{Key: strconv.Itoa(i), Value: []byte("x")})
	}
	if _, err := s.Commit(t.Context(), nil, many); err != nil {
		t.Errorf("the largest commit: %v", err)
	}
	if _, err := s.Commit(t.Context(), []kv.Condition{{Key: "a"}}, many); !errors.As(err, &limit) {
		t.Errorf("a commit that is too large: %v", err)
	}
	var key *kv.KeyError
	if _, err := s.Commit(t.Context(), nil, []kv.Operation{{Key: "a"}, {Key: "a", Delete: true}}); !errors.As(err, &key) {
		t.Errorf("one key twice: %v", err)
	}
}

func kvContext(t *testing.T, s *kv.Store) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ended, "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Get(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.List(ended, kv.Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("List: %v", err)
	}
	if _, err := s.Watch(ended, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("the key was written: %v", err)
	}
}

// kvStaleness: an answer of some age is allowed to be old, and must not stay so.
func kvStaleness(t *testing.T, s *kv.Store) {
	for name, opt := range map[string]kv.ReadOption{"local": kv.Local(), "bounded": kv.MaxAge(time.Second)} {
		key := "age/" + name
		if _, err := s.Get(t.Context(), key, opt); !errors.Is(err, kv.ErrNotFound) {
			t.Errorf("%s: before the write: %v", name, err)
		}
		want := mustPut(t, s, key, "1")
		Eventually(t, patience, func() bool {
			e, err := s.Get(t.Context(), key, opt)
			return err == nil && string(e.Value) == "1" && e.Revision == want && e.Key == key
		}, name+" reads see the write")
		Eventually(t, patience, func() bool {
			page, err := s.List(t.Context(), kv.Query{Prefix: key}, opt)
			return err == nil && len(page.Entries) == 1 && page.Entries[0].Revision == want && !page.More
		}, name+" lists see the write")
	}
	page, err := s.List(t.Context(), kv.Query{Prefix: "age/", Limit: 1}, kv.Local())
	if err != nil || len(page.Entries) != 1 || !page.More || page.Entries[0].Key != "age/bounded" {
		t.Errorf("the first page: %+v, %v", page, err)
	}
	page, err = s.List(t.Context(), kv.Query{Prefix: "age/", After: "age/bounded"}, kv.Local())
	if err != nil || len(page.Entries) != 1 || page.More || page.Entries[0].Key != "age/local" {
		t.Errorf("the second page: %+v, %v", page, err)
	}
}

// kvFenced writes as two holders of a lock, one after the other.
func kvFenced(t *testing.T, s *kv.Store, locks lock.Locker) {
	ctx := t.Context()
	hold := func() lock.Held {
		h, err := locks.Lock(ctx, "l")
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	first := hold()
	if _, err := s.Put(ctx, "a", []byte("1"), kv.WhileHeld(first.Token())); err != nil {
		t.Fatal(err)
	}
	if err := first.Unlock(ctx); err != nil {
		t.Fatal(err)
	}
	second := hold()
	revision, err := s.Put(ctx, "a", []byte("2"), kv.WhileHeld(second.Token()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, "a", []byte("3"), kv.WhileHeld(first.Token())); !errors.Is(err, kv.ErrFenced) {
		t.Errorf("a write of the first holder: %v", err)
	}
	if err := s.Delete(ctx, "a", kv.WhileHeld(first.Token())); !errors.Is(err, kv.ErrFenced) {
		t.Errorf("a delete of the first holder: %v", err)
	}
	if e, err := s.Get(ctx, "a"); err != nil || string(e.Value) != "2" {
		t.Errorf("what is there is %q, %v", e.Value, err)
	}
	wantConflict(t, revision+1, revision)(s.CompareAndSwap(ctx, "a", revision+1, nil, kv.WhileHeld(second.Token())))
	if _, err := s.CompareAndSwap(ctx, "a", revision, []byte("4"), kv.WhileHeld(second.Token())); err != nil {
		t.Errorf("the second holder again: %v", err)
	}
}

type shirt struct {
	Colour string `json:"colour"`
	Size   int    `json:"size"`
}

func kvTyped(t *testing.T, s *kv.Store) {
	ctx := t.Context()
	shirts := kv.Of[shirt](s, "shirts/")
	first, err := shirts.Put(ctx, "a", shirt{"red", 40})
	if err != nil {
		t.Fatal(err)
	}
	if i, err := shirts.Get(ctx, "a"); err != nil || i != (kv.Item[shirt]{Key: "a", Value: shirt{"red", 40}, Revision: first}) {
		t.Errorf("%+v, %v", i, err)
	}
	if e, err := s.Get(ctx, "shirts/a"); err != nil || string(e.Value) != `{"colour":"red","size":40}` {
		t.Errorf("in the store: %s, %v", e.Value, err)
	}
	if _, err := shirts.CompareAndSwap(ctx, "b", 0, shirt{Size: 1}); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := shirts.Update(ctx, "b", func(i kv.Item[shirt]) (shirt, error) { i.Value.Size++; return i.Value, nil }); err != nil {
			t.Error(err)
		}
	}
	broken := mustPut(t, s, "shirts/c", "no JSON")
	mustPut(t, s, "trousers/a", "{}")
	var bad *kv.ValueError
	if _, err := shirts.Get(ctx, "c"); !errors.As(err, &bad) || bad.Key != "shirts/c" || bad.Revision != broken {
		t.Errorf("a value of no type: %v", err)
	}
	var seen []string
	for i, err := range shirts.All(ctx, "") {
		switch {
		case errors.As(err, &bad):
			seen = append(seen, "broken")
		case err != nil:
			t.Error(err)
		default:
			seen = append(seen, fmt.Sprint(i.Key, i.Value.Size))
		}
	}
	if got := strings.Join(seen, " "); got != "a40 b3 broken" {
		t.Errorf("all are %s", got)
	}
	changes, err := shirts.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	seen = nil
	for c := range changes {
		if c.Kind == kv.Synced {
			break
		}
		seen = append(seen, fmt.Sprint(c.Key, c.Value.Size, c.Err != nil))
	}
	slices.Sort(seen)
	if got := strings.Join(seen, " "); got != "a40 false b3 false c0 true" {
		t.Errorf("the watch told %s", got)
	}
	if err := shirts.Delete(ctx, "a"); err != nil {
		t.Error(err)
	}
	if _, err := shirts.Get(ctx, "a"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
}

// kvTTLs writes keys of the same TTL one after the other: each has its own time.
func kvTTLs(t *testing.T, s *kv.Store) {
	const ttl, keys = 2 * time.Second, 5
	wrote := make(map[string]time.Time, keys)
	for i := range keys {
		key := strconv.Itoa(i)
		wrote[key] = time.Now()
		mustPut(t, s, key, "v", kv.WithTTL(ttl))
		if _, err := s.Get(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, s, "0", "again", kv.WithTTL(2*ttl)) // another time, and the former does not count
	wrote["0"] = time.Now().Add(ttl)
	Eventually(t, patience, func() bool {
		for key, at := range wrote {
			_, err := s.Get(t.Context(), key)
			if !errors.Is(err, kv.ErrNotFound) {
				continue
			}
			if lived := time.Since(at); lived < ttl {
				t.Errorf("key %s vanished after %v", key, lived)
			}
			delete(wrote, key)
		}
		return len(wrote) == 0
	}, "all keys vanish")
}
