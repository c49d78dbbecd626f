// SPDX-License-Identifier: Apache-2.0

package wake_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/otelplat/platform/internal/wake"
)

func TestManyChangesAreOneMark(t *testing.T) {
	var s wake.Set
	defer s.Close()
	ch := s.Add(t.Context(), wake.Always)
	s.Notify()
	s.Notify()
	if len(ch) != 1 {
		t.Fatalf("%d marks, want 1", len(ch))
	}
	<-ch
	if len(ch) != 0 {
		t.Fatal("a mark is left after it was read")
	}
	s.Notify()
	if len(ch) != 1 {
		t.Fatal("no mark after a change")
	}
}

func TestAChannelEndsWithItsContextOrTheSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s wake.Set
		ctx, cancel := context.WithCancel(t.Context())
		one, other := s.Add(ctx, nil), s.Add(t.Context(), nil)
		cancel()
		synctest.Wait()
		if _, open := <-one; open {
			t.Fatal("open after its context ended")
		}
		s.Notify()
		if _, open := <-other; !open {
			t.Fatal("the end of one reader ended another")
		}
		s.Close()
		if _, open := <-other; open {
			t.Fatal("open after the set was closed")
		}
		if _, open := <-s.Add(t.Context(), wake.Always); open {
			t.Fatal("a closed set gave an open channel")
		}
	})
}

// What was stored before Notify, and before the channel was added, is seen: the
// question is asked with the set locked.
func TestNoChangeIsMissedWhileAChannelIsAdded(t *testing.T) {
	for range 2000 {
		var s wake.Set
		var stored atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			stored.Store(true)
			s.Notify()
		}()
		ch := s.Add(t.Context(), stored.Load)
		<-done
		if len(ch) != 1 {
			t.Fatal("a change was stored and told, and nobody heard")
		}
		s.Close()
	}
}
