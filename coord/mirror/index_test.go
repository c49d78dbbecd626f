// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// keysOf are more than fit the smallest index, so that it appears, grows and is made anew.
func keysOf(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint("key/", i)
	}
	return keys
}

// with makes the state after a batch.
func (s *state[T]) with(batch map[string]T, remove []string) *state[T] {
	next := *s
	next.revision++
	e := &edit{}
	var keys []string
	for key, v := range batch {
		next.trie.set(e, key, v, next.revision)
		keys = append(keys, key)
	}
	for _, key := range remove {
		if next.trie.remove(e, key) {
			keys = append(keys, key)
		}
	}
	next.follow(keys)
	return &next
}

// Every state, old ones too, says through the index what its trie says.
func TestTheIndexIsTheTrie(t *testing.T) {
	keys := keysOf(100)
	rapid.Check(t, func(t *rapid.T) {
		states := []*state[int]{{}}
		for range rapid.IntRange(1, 30).Draw(t, "batches") {
			batch := make(map[string]int)
			var remove []string
			for range rapid.IntRange(1, 30).Draw(t, "operations") {
				key := rapid.SampledFrom(keys).Draw(t, "key")
				if _, there := batch[key]; there {
					continue
				}
				if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
					remove = append(remove, key)
					continue
				}
				batch[key] = rapid.Int().Draw(t, "value")
			}
			for _, key := range remove {
				delete(batch, key)
			}
			states = append(states, states[len(states)-1].with(batch, remove))
		}
		for i, s := range states {
			for _, key := range keys {
				got, ok := s.get(key)
				l := s.trie.get(key)
				if ok != (l != nil) || ok && got != l.value {
					t.Fatalf("state %d of %d: %q is %d (%v), the trie has %v", i, len(states), key, got, ok, l)
				}
			}
		}
		if last := states[len(states)-1]; last.trie.len >= 2*minIndexed && last.index == nil {
			t.Fatalf("%d keys have no index", last.trie.len)
		}
	})
}

// Readers see what is whole: in each state two keys have the same value, and a reader never
// sees a key go back.
func TestTheIndexUnderReaders(t *testing.T) {
	keys := keysOf(200)
	var current atomic.Pointer[state[int]]
	s := &state[int]{}
	all := make(map[string]int)
	for _, key := range keys {
		all[key] = 0
	}
	s = s.with(all, nil)
	current.Store(s)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			last := make(map[string]int)
			for {
				select {
				case <-done:
					return
				default:
				}
				at := rand.N(len(keys) / 2)
				s := current.Load()
				a, okA := s.get(keys[2*at])
				b, okB := s.get(keys[2*at+1])
				if a != b || okA != okB {
					t.Errorf("one state has %d (%v) and %d (%v)", a, okA, b, okB)
					return
				}
				if okA && a < last[keys[2*at]] {
					t.Errorf("%d after %d", a, last[keys[2*at]])
					return
				}
				if okA {
					last[keys[2*at]] = a
				}
			}
		})
	}
	for i := 1; i <= 20_000; i++ {
		at := rand.N(len(keys) / 2)
		pair := []string{keys[2*at], keys[2*at+1]}
		if rand.N(4) == 0 {
			s = s.with(nil, pair)
		} else {
			s = s.with(map[string]int{pair[0]: i, pair[1]: i}, nil)
		}
		current.Store(s)
	}
	close(done)
	readers.Wait()
}
