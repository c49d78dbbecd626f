// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// What Since says, applied to the older version, makes the newer one; whatever lies
// between them.
func TestSinceIsTheDifferenceOfAnyTwoVersions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[a-c]{0,3}`)
		var tr trie[int]
		model := make(map[string]int)
		views := []View[int]{{}}
		models := []map[string]int{{}}
		revision := int64(0)
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			e := &edit{}
			for range rapid.IntRange(1, 30).Draw(t, "operations") {
				revision++
				k := key.Draw(t, "key")
				if rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
					tr.remove(e, k)
					delete(model, k)
					continue
				}
				tr.set(e, k, int(revision), revision)
				model[k] = int(revision)
			}
			views = append(views, View[int]{&state[int]{trie: tr, revision: revision}})
			models = append(models, maps.Clone(model))
		}
		from := rapid.IntRange(0, len(views)-1).Draw(t, "from")
		to := rapid.IntRange(0, len(views)-1).Draw(t, "to")
		got := maps.Clone(models[from])
		seen := make(map[string]bool)
		for _, c := range views[to].Since(views[from]) {
			if seen[c.Key] {
				t.Fatalf("%q is in it twice", c.Key)
			}
			seen[c.Key] = true
			if v, had := models[from][c.Key]; had && !c.Deleted && v == c.Value {
				t.Fatalf("%q did not change", c.Key)
			}
			if c.Deleted {
				delete(got, c.Key)
			} else {
				got[c.Key] = c.Value
			}
		}
		if !maps.Equal(got, models[to]) {
			t.Fatalf("%v and what changed is %v, want %v", models[from], got, models[to])
		}
	})
}
