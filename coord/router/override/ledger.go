// SPDX-License-Identifier: Apache-2.0

package override

import (
	"maps"
	"slices"
	"time"

	"github.com/otelplat/platform/coord"
)

// StaleAfter is how old a reader's copy may be before it ends overrides by its own clock, as
// old as signals may be. Until then etcd's lease ends them, for all readers at once.
const StaleAfter = 15 * time.Second

// ledger knows when this process received each override. It has no clock: times are
// durations since some start, and monotonic.
type ledger struct {
	received map[string]*entry // by target
	current  *Current
}

type entry struct {
	override *Override
	written  write
	at       time.Duration
}

// write names the write of a value.
type write struct {
	epoch    coord.Epoch
	revision int64
}

// seen is an override as the mirror has it.
type seen struct {
	override Override
	written  write
}

// look takes in what there is, by target, at a time, and returns what holds. When the copy is
// stale, an override holds for as long as it was given for from its receipt: its lease can
// have begun no later, so that it is never ended before the fleet's. One that it ended stays
// ended until the copy is current, and is what it was again then if it is there.
func (l *ledger) look(there map[string]seen, now time.Duration, stale bool) *Current {
	maps.DeleteFunc(l.received, func(target string, _ *entry) bool {
		_, ok := there[target]
		return !ok
	})
	if l.received == nil {
		l.received = make(map[string]*entry)
	}
	var list []*Override
	for _, target := range slices.Sorted(maps.Keys(there)) {
		is := there[target]
		e := l.received[target]
		if e == nil || e.written != is.written {
			e = &entry{&is.override, is.written, now}
			l.received[target] = e
		}
		if !stale || now-e.at < e.override.For {
			list = append(list, e.override)
		}
	}
	if next := newCurrent(list); !next.same(l.current) {
		l.current = next
	}
	return l.current
}
