// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/lock"
)

// LockSubject is a locker, and how to look at its queues from outside.
type LockSubject struct {
	lock.Locker
	Places func(name string) int // holder and waiters
}

// queued waits until a lock has so many holders and waiters.
func (l LockSubject) queued(t *testing.T, name string, places int) {
	t.Helper()
	Eventually(t, patience, func() bool { return l.Places(name) == places }, "%d places in the queue of %q", places, name)
}

// Lock tests a kind of locker. Open returns a new one without holders, which the
// suite closes.
func Lock(t *testing.T, open func(t *testing.T) LockSubject) {
	for name, f := range map[string]func(*testing.T, LockSubject){
		"one holds at a time, goroutines of one process too": lockExcludes,
		"tokens grow with every holder":                      lockTokens,
		"waiters get it in the order in which they asked":    lockOrder,
		"TryLock does not wait":                              lockTry,
		"a wait ends with its context and leaves no place":   lockContext,
		"an unlocked lock is not valid, and unlocks once":    lockUnlock,
		"locks of different names are apart":                 lockNames,
		"Close loses what is held and ends waits":            lockClose,
		"readers share, a writer does not":                   lockReaders,
		"a reader who comes after a waiting writer waits":    lockReadersWait,
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			t.Cleanup(func() {
				if err := l.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			f(t, l)
		})
	}
}

func mustLock(t *testing.T, l LockSubject, name string) lock.Held {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	h, err := l.Lock(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func lockExcludes(t *testing.T, l LockSubject) {
	const workers, each = 6, 5
	var inside, total atomic.Int32
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				h, err := l.Lock(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d holders at once", n)
				}
				total.Add(1)
				inside.Add(-1)
				if err := h.Unlock(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if total.Load() != workers*each {
		t.Errorf("%d of %d", total.Load(), workers*each)
	}
}

func lockTokens(t *testing.T, l LockSubject) {
	var last lock.Token
	for i := range 3 {
		h := mustLock(t, l, "a")
		if i > 0 {
			if before, err := last.Before(h.Token()); err != nil || !before {
				t.Errorf("token %v is not before %v: %v", last, h.Token(), err)
			}
		}
		last = h.Token()
		if err := h.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := last.Before(lock.Token{Epoch: "another"}); err == nil {
		t.Error("tokens of two epochs were compared")
	}
}

func lockOrder(t *testing.T, l LockSubject) {
	first := mustLock(t, l, "a")
	const waiters = 4
	order := make(chan int, waiters)
	var wg sync.WaitGroup
	for i := range waiters {
		wg.Go(func() {
			h, err := l.Lock(t.Context(), "a")
			if err != nil {
				t.Error(err)
				return
			}
			order <- i
			if err := h.Unlock(t.Context()); err != nil {
				t.Error(err)
			}
		})
		l.queued(t, "a", i+2)
	}
	if err := first.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for i := range waiters {
		if got := <-order; got != i {
			t.Errorf("waiter %d came at place %d", got, i)
		}
	}
}

func lockTry(t *testing.T, l LockSubject) {
	h, err := l.TryLock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.TryLock(t.Context(), "a"); !errors.Is(err, lock.ErrLocked) {
		t.Errorf("TryLock of a held lock: %v", err)
	}
	if err := h.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	Eventually(t, patience, func() bool {
		h, err := l.TryLock(t.Context(), "a")
		if err == nil {
			err = h.Unlock(t.Context())
		}
		return err == nil
	}, "the lock is free, and the refused try left no place behind")
}

func lockContext(t *testing.T, l LockSubject) {
	h := mustLock(t, l, "a")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := l.Lock(ctx, "a")
		done <- err
	}()
	l.queued(t, "a", 2)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Lock: %v", err)
	}
	if err := h.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := mustLock(t, l, "a").Unlock(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := l.Lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock with an ended context: %v", err)
	}
}

func lockUnlock(t *testing.T, l LockSubject) {
	h := mustLock(t, l, "a")
	select {
	case <-h.Lost():
		t.Error("lost while held")
	default:
	}
	if !h.Valid() {
		t.Error("not valid while held")
	}
	if err := h.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
	<-h.Lost()
	if h.Valid() {
		t.Error("valid after Unlock")
	}
	if err := h.Unlock(t.Context()); !errors.Is(err, lock.ErrNotHeld) {
		t.Errorf("second Unlock: %v", err)
	}
}

func lockNames(t *testing.T, l LockSubject) {
	a, b := mustLock(t, l, "a"), mustLock(t, l, "a.b")
	if err := errors.Join(a.Unlock(t.Context()), b.Unlock(t.Context())); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "a/b", "../x"} {
		var e *coord.NameError
		if _, err := l.Lock(t.Context(), name); !errors.As(err, &e) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func lockClose(t *testing.T, l LockSubject) {
	h := mustLock(t, l, "a")
	done := make(chan error, 1)
	go func() {
		_, err := l.Lock(t.Context(), "a")
		done <- err
	}()
	l.queued(t, "a", 2)
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	<-h.Lost()
	if h.Valid() {
		t.Error("valid after Close")
	}
	if err := h.Unlock(t.Context()); !errors.Is(err, lock.ErrLost) {
		t.Errorf("Unlock after Close: %v", err)
	}
	if err := <-done; !errors.Is(err, lock.ErrClosed) {
		t.Errorf("the waiter: %v", err)
	}
	if _, err := l.TryLock(t.Context(), "a"); !errors.Is(err, lock.ErrClosed) {
		t.Errorf("TryLock after Close: %v", err)
	}
}

func lockReaders(t *testing.T, l LockSubject) {
	first, err := l.RLock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	second, err := l.TryRLock(t.Context(), "a")
	if err != nil {
		t.Fatalf("a second reader: %v", err)
	}
	if _, err := l.TryLock(t.Context(), "a"); !errors.Is(err, lock.ErrLocked) {
		t.Errorf("a writer beside readers: %v", err)
	}
	if err := errors.Join(first.Unlock(t.Context()), second.Unlock(t.Context())); err != nil {
		t.Fatal(err)
	}
	writer := mustLock(t, l, "a")
	if _, err := l.TryRLock(t.Context(), "a"); !errors.Is(err, lock.ErrLocked) {
		t.Errorf("a reader beside a writer: %v", err)
	}
	if err := writer.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func lockReadersWait(t *testing.T, l LockSubject) {
	reader, err := l.RLock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 2)
	var wg sync.WaitGroup
	for i, kind := range []string{"writer", "reader"} {
		wg.Go(func() {
			ask := l.Lock
			if kind == "reader" {
				ask = l.RLock
			}
			h, err := ask(t.Context(), "a")
			if err != nil {
				t.Error(err)
				return
			}
			order <- kind
			if err := h.Unlock(t.Context()); err != nil {
				t.Error(err)
			}
		})
		l.queued(t, "a", i+2)
	}
	if err := reader.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if first := <-order; first != "writer" {
		t.Errorf("the %s came first", first)
	}
}

// Semaphore tests a kind of semaphore. Open returns one of three permits without holders,
// which the suite closes.
func Semaphore(t *testing.T, open func(t *testing.T) lock.Semaphore) {
	s := open(t)
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	var inside, most, total atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				h, err := s.Acquire(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				n := inside.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				total.Add(1)
				inside.Add(-1)
				if err := h.Unlock(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 || total.Load() != 40 {
		t.Errorf("%d holders at once and %d in all, want at most 3 and 40", most.Load(), total.Load())
	}
	var held []lock.Held
	Eventually(t, patience, func() bool {
		h, err := s.TryAcquire(t.Context())
		if err == nil {
			held = append(held, h)
		}
		return len(held) == 3
	}, "three permits are free")
	if _, err := s.TryAcquire(t.Context()); !errors.Is(err, lock.ErrLocked) {
		t.Errorf("a fourth: %v", err)
	}
	for _, h := range held {
		if err := h.Unlock(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
