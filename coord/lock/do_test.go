// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/lock"
)

func TestDoHoldsTheLockAndGivesItUp(t *testing.T) {
	l := lock.Memory()
	defer l.Close()
	wrong := errors.New("wrong")
	err := lock.Do(t.Context(), l, "l", func(ctx context.Context) error {
		held, ok := lock.FromContext(ctx)
		if !ok || !held.Valid() {
			t.Error("the work does not hold the lock")
		}
		if _, err := l.TryLock(ctx, "l"); !errors.Is(err, lock.ErrLocked) {
			t.Errorf("another while the work runs: %v", err)
		}
		return wrong
	})
	if !errors.Is(err, wrong) || errors.Is(err, lock.ErrLost) {
		t.Errorf("Do: %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = lock.Do(t.Context(), l, "l", func(context.Context) error { panic("of the work") })
	}()
	held, err := l.TryLock(t.Context(), "l")
	if err != nil {
		t.Fatalf("after a panic: %v", err)
	}
	_ = held.Unlock(t.Context())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := lock.Do(ended, l, "l", func(context.Context) error { t.Error("it ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

func TestDoEndsTheWorkWhenTheLockIsLost(t *testing.T) {
	server := coordtest.Etcd(t)
	client := coordtest.Client(t, server)
	l := lock.Open(client, lock.WithTTL(lock.MinTTL))
	defer l.Close()
	began := make(chan lock.Token, 1)
	done := make(chan error, 1)
	go func() {
		done <- lock.Do(t.Context(), l, "l", func(ctx context.Context) error {
			held, _ := lock.FromContext(ctx)
			began <- held.Token()
			<-ctx.Done()
			return context.Cause(ctx)
		})
	}()
	token := <-began
	kv, err := client.Etcd().Get(t.Context(), token.Key)
	if err != nil || len(kv.Kvs) != 1 {
		t.Fatal(kv, err)
	}
	server.Stop() // the lease can no longer be proved to live
	if err := <-done; !errors.Is(err, lock.ErrLost) {
		t.Errorf("Do: %v", err)
	}
	server.Start()
}

func TestAListSaysWhoHoldsAndWhoWaits(t *testing.T) {
	server := coordtest.Etcd(t)
	client := coordtest.Client(t, server)
	l := lock.Open(client, lock.WithOwner([]byte(`{"v":1,"host":"h","pid":7}`)))
	defer l.Close()
	first, err := l.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Lock(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan error, 1)
	go func() {
		_, err := l.Lock(ctx, "a")
		waits <- err
	}()
	var list []lock.Place
	coordtest.Eventually(t, 20*time.Second, func() bool {
		list, err = lock.List(t.Context(), client, "")
		return err == nil && len(list) == 3
	}, "three places")
	if p := list[0]; p.Lock != "a" || !p.Holder || p.Revision != first.Token().Revision || p.Key != first.Token().Key || string(p.Owner) != `{"v":1,"host":"h","pid":7}` {
		t.Errorf("the holder of a is %+v", p)
	}
	if p := list[1]; p.Lock != "a" || p.Holder {
		t.Errorf("who waits for a is %+v", p)
	}
	if p := list[2]; p.Lock != "b" || !p.Holder {
		t.Errorf("the holder of b is %+v", p)
	}
	if list, err := lock.List(t.Context(), client, "b"); err != nil || len(list) != 1 {
		t.Errorf("of b alone: %+v, %v", list, err)
	}
	if _, err := lock.List(t.Context(), client, "a/b"); err == nil {
		t.Error("a name that no lock can have was listed")
	}
	cancel()
	<-waits
}

func TestAFenceRefusesWhoCameBefore(t *testing.T) {
	var f lock.Fence
	at := func(epoch string, revision int64) lock.Token {
		return lock.Token{Epoch: coord.NewEpoch(1, epoch), Revision: revision}
	}
	for _, c := range []struct {
		token lock.Token
		ok    bool
	}{{at("x", 5), true}, {at("x", 5), true}, {at("x", 9), true}, {at("x", 5), false}, {at("y", 20), false}, {at("x", 10), true}} {
		if err := f.Admit(c.token); (err == nil) != c.ok || err != nil && !errors.Is(err, lock.ErrFenced) {
			t.Errorf("%+v: %v", c.token, err)
		}
	}
	f.Reset(at("y", 20))
	if err := f.Admit(at("y", 21)); err != nil {
		t.Errorf("after the reset: %v", err)
	}
	if err := f.Admit(at("x", 99)); !errors.Is(err, lock.ErrFenced) {
		t.Errorf("of the epoch before: %v", err)
	}
}

func ExampleDo() {
	locks := lock.Memory() // in a fleet: lock.Open(client)
	defer locks.Close()
	err := lock.Do(context.Background(), locks, "nightly-report", func(ctx context.Context) error {
		held, _ := lock.FromContext(ctx)
		fmt.Println("held:", held.Valid()) // ctx ends when it no longer is
		return nil
	})
	fmt.Println(err)
	// Output:
	// held: true
	// <nil>
}
