// SPDX-License-Identifier: Apache-2.0

package check

import (
	"strings"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/registry"
)

// levels says which level a finding has: its own, or that of the last change that
// fits it.
type levels struct {
	changes []registry.LevelDef
	base    [finding.Signals][finding.IDs]finding.Level // for names that no change names
	named   bool                                        // some change names names
}

func newLevels(changes []registry.LevelDef) levels {
	l := levels{changes: changes}
	for s := range finding.Signals {
		for id := range finding.IDs {
			l.base[s][id] = id.Level()
		}
	}
	for _, c := range changes {
		if len(c.Names) > 0 {
			l.named = true
			continue
		}
		for s := range finding.Signals {
			for id := finding.None + 1; id < finding.IDs; id++ {
				if c.Signals[s] && c.IDs[id] {
					l.base[s][id] = c.Level
				}
			}
		}
	}
	return l
}

func (l *levels) of(s finding.Signal, id finding.ID, name string) finding.Level {
	if !l.named {
		return l.base[s][id]
	}
	for i := len(l.changes) - 1; i >= 0; i-- {
		c := &l.changes[i]
		if c.Signals[s] && c.IDs[id] && fits(c.Names, name) {
			return c.Level
		}
	}
	return id.Level()
}

func fits(patterns []string, name string) bool {
	for _, p := range patterns {
		if glob(p, name) {
			return true
		}
	}
	return len(patterns) == 0
}

// glob reports whether a name fits a pattern, in which * stands for any text. Only
// the last * is ever tried again, so that its time is bounded by the product of
// the lengths.
func glob(pattern, name string) bool {
	star, again := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, again = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			again++
			p, n = star+1, again
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
