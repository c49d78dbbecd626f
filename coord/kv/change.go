// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"cmp"
	"slices"
)

// sortChanges puts changes in the order of their revisions, deletions of unknown
// revision last, and those of one revision in the order of keys.
func sortChanges(list []Change) {
	slices.SortFunc(list, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Key, b.Key))
	})
}

// note keeps what a watch has told: the revision of each key.
func note(told map[string]int64, c Change) {
	switch c.Kind {
	case Put:
		told[c.Key] = c.Revision
	case Deleted:
		delete(told, c.Key)
	case Synced:
	}
}
