// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"errors"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/lock"
)

func TestAMemorySemaphoreConforms(t *testing.T) {
	coordtest.Semaphore(t, func(t *testing.T) lock.Semaphore {
		s, err := lock.MemorySemaphore(3)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestAnEtcdSemaphoreConforms(t *testing.T) {
	server := coordtest.Etcd(t)
	coordtest.Semaphore(t, func(t *testing.T) lock.Semaphore {
		s, err := lock.OpenSemaphore(coordtest.Client(t, server), "s", 3)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestNumbersOfPermitsThatDoNotAgreeAreRefused(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	for _, n := range []int{0, -1, lock.MaxPermits + 1} {
		if _, err := lock.OpenSemaphore(c, "s", n); !isPermits(err) {
			t.Errorf("%d permits: %v", n, err)
		}
	}
	two, err := lock.OpenSemaphore(c, "s", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	three, err := lock.OpenSemaphore(c, "s", 3)
	if err != nil {
		t.Fatal(err)
	}
	defer three.Close()
	if _, err := two.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := three.Acquire(t.Context()); !isPermits(err) {
		t.Errorf("three permits where others say two: %v", err)
	}
}

func isPermits(err error) bool {
	_, ok := errors.AsType[*lock.PermitsError](err)
	return ok
}

func TestADeletedKeyIsNoticedWithoutAWrite(t *testing.T) {
	client := coordtest.Client(t, coordtest.Etcd(t))
	l := lock.Open(client)
	defer l.Close()
	held, err := l.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := lock.Context(t.Context(), held)
	defer cancel()
	if ctx.Err() != nil {
		t.Fatal(ctx.Err())
	}
	began := time.Now()
	if _, err := client.Etcd().Delete(t.Context(), held.Token().Key); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	t.Logf("noticed after %v; a renewal is due after %v", time.Since(began), lock.DefaultTTL/3)
	if held.Valid() || ctx.Err() == nil {
		t.Error("still valid")
	}
	if err := held.Unlock(t.Context()); !errors.Is(err, lock.ErrLost) {
		t.Errorf("Unlock: %v", err)
	}
}

func TestALockDelayKeepsTheLockFreeAfterALossOnly(t *testing.T) {
	server := coordtest.Etcd(t)
	client := coordtest.Client(t, server)
	const delay = 2 * time.Second
	a := lock.Open(client, lock.WithLockDelay(delay))
	defer a.Close()
	b := lock.Open(coordtest.Client(t, server, coord.WithNamespace(client.Namespace())), lock.WithLockDelay(delay))
	defer b.Close()
	began := time.Now()
	for _, l := range []lock.Locker{a, b, a} {
		held, err := l.Lock(t.Context(), "l")
		if err != nil {
			t.Fatal(err)
		}
		if err := held.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("three holders that unlock: %v", time.Since(began))
	held, err := a.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Etcd().Delete(t.Context(), held.Token().Key); err != nil {
		t.Fatal(err)
	}
	lost := time.Now()
	next, err := b.Lock(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(lost); took < delay {
		t.Errorf("held again %v after the loss, the delay is %v", took, delay)
	} else {
		t.Logf("held again %v after the loss", took)
	}
	if err := next.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}
