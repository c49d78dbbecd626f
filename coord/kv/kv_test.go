// SPDX-License-Identifier: Apache-2.0

package kv_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryConforms(t *testing.T) {
	coordtest.KV(t, func(*testing.T) (kv.Backend, lock.Locker) { return kv.Memory(), lock.Memory() })
}

// A full store still takes what does not make it larger.
func TestAFullMemoryTakesDeletesAndOverwrites(t *testing.T) {
	s := kv.New(kv.Memory())
	defer s.Close()
	for n := 0; n < kv.MaxMemoryKeys; {
		txn := make([]kv.Operation, 0, kv.MaxOperations)
		for ; len(txn) < kv.MaxOperations && n < kv.MaxMemoryKeys; n++ {
			txn = append(txn, kv.Operation{Key: "k" + strconv.Itoa(n)})
		}
		if _, err := s.Commit(t.Context(), nil, txn); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Put(t.Context(), "one-more", nil)
	if _, ok := errors.AsType[*kv.LimitError](err); !ok {
		t.Fatalf("one more than full: %v", err)
	}
	if _, err := s.Put(t.Context(), "k0", []byte("new")); err != nil {
		t.Errorf("an overwrite: %v", err)
	}
	if err := s.Delete(t.Context(), "k0"); err != nil {
		t.Errorf("a delete: %v", err)
	}
	if _, err := s.Put(t.Context(), "one-more", nil); err != nil {
		t.Errorf("in the place of what was deleted: %v", err)
	}
}

func TestEtcdConforms(t *testing.T) {
	server := coordtest.Etcd(t)
	for name, opts := range map[string][]kv.EtcdOption{
		"without a copy": nil, "with a copy": {kv.WithCopy("")}, "with copies of parts": {kv.WithCopy("age/"), kv.WithCopy("p/")},
	} {
		t.Run(name, func(t *testing.T) {
			coordtest.KV(t, func(t *testing.T) (kv.Backend, lock.Locker) {
				c := coordtest.Client(t, server)
				return kv.Etcd(c, opts...), lock.Open(c)
			})
		})
	}
}

// A copy answers while etcd is away, and says so when it is asked for something younger.
func TestACopyAnswersWhileEtcdIsAway(t *testing.T) {
	server := coordtest.Etcd(t)
	proxy := coordtest.NewProxy(t, server.Address())
	store := kv.Open(coordtest.Client(t, server, coord.WithEndpoints(proxy.Endpoint())), kv.WithCopy("copied/"))
	defer store.Close()
	for _, key := range []string{"copied/a", "other/a"} {
		if _, err := store.Put(t.Context(), key, []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	defer proxy.Heal()
	coordtest.Eventually(t, 20*time.Second, func() bool { // until the copy is loaded etcd is asked
		proxy.BlackHole()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := store.Get(ctx, "copied/a", kv.Local())
		if err != nil {
			proxy.Heal()
		}
		return err == nil
	}, "the copy is there")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if e, err := store.Get(ctx, "copied/a", kv.Local()); err != nil || string(e.Value) != "1" {
		t.Errorf("local: %q, %v", e.Value, err)
	}
	if e, err := store.Get(ctx, "copied/a", kv.MaxAge(time.Hour)); err != nil || string(e.Value) != "1" {
		t.Errorf("at most an hour old: %q, %v", e.Value, err)
	}
	if _, err := store.Get(ctx, "copied/b", kv.Local()); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("an absent key: %v", err)
	}
	if _, err := store.Get(ctx, "other/a", kv.Local()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a key without a copy: %v", err)
	}
	if _, err := store.Get(ctx, "copied/a", kv.MaxAge(time.Nanosecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("at most a nanosecond old: %v", err)
	}
}

// A lease that somebody revoked is replaced, and writes of one TTL share one.
func TestLeasesArePooled(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	store := kv.Open(c)
	defer store.Close()
	leases := func() []clientv3.LeaseStatus {
		resp, err := c.Etcd().Leases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return resp.Leases
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if _, err := store.Put(t.Context(), strconv.Itoa(i), nil, kv.WithTTL(time.Minute)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(leases()); n != 1 {
		t.Errorf("%d leases for 100 keys of one TTL", n)
	}
	for _, l := range leases() {
		if _, err := c.Etcd().Revoke(t.Context(), l.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Put(t.Context(), "a", []byte("1"), kv.WithTTL(time.Minute)); err != nil {
		t.Errorf("after the lease was revoked: %v", err)
	}
	if e, err := store.Get(t.Context(), "a"); err != nil || string(e.Value) != "1" {
		t.Errorf("%q, %v", e.Value, err)
	}
}

// In etcd, lock and data are in one place: a holding that ended is enough.
func TestAnEndedHoldingWritesNothing(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	store, locks := kv.Open(c), lock.Open(c)
	defer store.Close()
	defer locks.Close()
	held, err := locks.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "a", nil, kv.WhileHeld(held.Token())); !errors.Is(err, kv.ErrFenced) {
		t.Errorf("%v, want fenced", err)
	}
}

func TestAWriteWhoseAnswerWasLostIsUncertain(t *testing.T) {
	server := coordtest.Etcd(t)
	proxy := coordtest.NewProxy(t, server.Address())
	store := kv.Open(coordtest.Client(t, server, coord.WithEndpoints(proxy.Endpoint())))
	defer store.Close()
	if _, err := store.Put(t.Context(), "a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	proxy.BlackHole()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := store.Put(ctx, "a", []byte("2"))
	if !errors.Is(err, kv.ErrUncertain) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want uncertain, and the deadline", err)
	}
	proxy.Heal()
}

func TestAWatchGoesOnAfterEtcdWasAway(t *testing.T) {
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	store := kv.Open(c)
	defer store.Close()
	if _, err := store.Put(t.Context(), "a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	changes, err := store.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if c := <-changes; string(c.Value) != "1" {
		t.Fatalf("%+v", c)
	}
	if c := <-changes; c.Kind != kv.Synced {
		t.Fatalf("%+v", c)
	}
	server.Stop()
	server.Start()
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "a", []byte("2")); err != nil {
		t.Fatal(err)
	}
	select {
	case c := <-changes:
		if string(c.Value) != "2" {
			t.Errorf("%+v", c)
		}
	case <-time.After(30 * time.Second):
		t.Error("the watch did not go on")
	}
}

func Example() {
	ctx := context.Background()
	store := kv.New(kv.Memory()) // in a fleet: kv.Open(client)
	defer store.Close()

	first, _ := store.Put(ctx, "orders/next", []byte("1"))
	_, err := store.CompareAndSwap(ctx, "orders/next", first, []byte("2"))
	fmt.Println(err)
	_, err = store.CompareAndSwap(ctx, "orders/next", first, []byte("3"))
	fmt.Println(err)

	// Output:
	// <nil>
	// kv: key "orders/next" is at revision 2, the writer expected 1
}

func BenchmarkGet(b *testing.B) {
	for name, open := range map[string]func() kv.Backend{
		"memory": kv.Memory,
		"etcd":   func() kv.Backend { return kv.Etcd(coordtest.Client(b, coordtest.Etcd(b))) },
	} {
		b.Run(name, func(b *testing.B) {
			store := kv.New(open())
			defer store.Close()
			if _, err := store.Put(b.Context(), "a", make([]byte, 256)); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := store.Get(b.Context(), "a"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
