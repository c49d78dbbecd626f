// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

func contents(t *trie[int]) map[string]int {
	m := make(map[string]int)
	t.root.each(func(l *leaf[int]) bool { m[l.key] = l.value; return true })
	return m
}

// Against a Go map: every operation, in batches, with every earlier version kept
// and looked at again at the end.
func TestTheTrieIsAMapWhoseVersionsStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tr trie[int]
		model := make(map[string]int)
		type version struct {
			t trie[int]
			m map[string]int
		}
		var versions []version
		key := rapid.SampledFrom([]string{"", "a", "b", "c", "aa", "ab", "ba", "x/1", "x/2", "x/3", "y"})
		for range rapid.IntRange(1, 20).Draw(t, "batches") {
			e := &edit{}
			for range rapid.IntRange(1, 8).Draw(t, "operations") {
				k := key.Draw(t, "key")
				if rapid.Bool().Draw(t, "remove") {
					_, had := model[k]
					if got := tr.remove(e, k); got != had {
						t.Fatalf("remove %q: %v, want %v", k, got, had)
					}
					delete(model, k)
					continue
				}
				v := rapid.Int().Draw(t, "value")
				tr.set(e, k, v, 1)
				model[k] = v
			}
			versions = append(versions, version{tr, maps.Clone(model)})
		}
		for i, v := range versions {
			if got := contents(&v.t); !maps.Equal(got, v.m) || v.t.len != len(v.m) {
				t.Fatalf("version %d: %v (len %d), want %v", i, got, v.t.len, v.m)
			}
			for k, want := range v.m {
				if l := v.t.get(k); l == nil || l.value != want {
					t.Fatalf("version %d: %q is %v, want %d", i, k, l, want)
				}
			}
		}
	})
}

func TestKeysWithTheSameHashAreKeptApart(t *testing.T) {
	one := &leaf[int]{hash: 7, key: "one", value: 1}
	two := &leaf[int]{hash: 7, key: "two", value: 2}
	e := &edit{}
	root, _ := (&node[int]{edit: e}).set(e, one, 0)
	before := root
	root, added := root.set(&edit{}, two, 0)
	if !added {
		t.Fatal("the second key replaced the first")
	}
	if got := contents(&trie[int]{root: root}); got["one"] != 1 || got["two"] != 2 {
		t.Fatalf("got %v", got)
	}
	root, removed := root.remove(&edit{}, 7, "one", 0)
	if got := contents(&trie[int]{root: root}); !removed || len(got) != 1 || got["two"] != 2 {
		t.Fatalf("after removing one: %v", got)
	}
	if got := contents(&trie[int]{root: before}); len(got) != 1 || got["one"] != 1 {
		t.Fatalf("the version before changed: %v", got)
	}
}

func BenchmarkTrieGet(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprintf("service-%d/instance-%d", i%100, i)
		}
		var tr trie[int]
		e := &edit{}
		plain := make(map[string]int, n)
		for i, k := range keys {
			tr.set(e, k, i, 1)
			plain[k] = i
		}
		next := func(i int) string { return keys[i*7919%n] }
		b.Run(fmt.Sprintf("otelplat/keys=%d/access=uniform", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if tr.get(next(i)) == nil {
					b.Fatal("missing")
				}
			}
		})
		b.Run(fmt.Sprintf("otelplat/keys=%d/access=one", n), func(b *testing.B) {
			for b.Loop() {
				if tr.get(keys[0]) == nil {
					b.Fatal("missing")
				}
			}
		})
		b.Run(fmt.Sprintf("gomap/keys=%d/access=uniform", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, ok := plain[next(i)]; !ok {
					b.Fatal("missing")
				}
			}
		})
	}
}
