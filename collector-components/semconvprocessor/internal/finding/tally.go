// SPDX-License-Identifier: Apache-2.0

package finding

import "unicode/utf8"

// Key says which finding it is. Name is the attribute, or the metric or event
// itself; Of is the span's type, the metric or the event that Name belongs to,
// empty where the finding is about the attribute wherever it is.
type Key struct {
	ID     ID
	Level  Level
	Signal Signal
	Name   string
	Of     string
}

// Site is a finding that a registry can foresee: one about an attribute, span,
// metric or event that it knows. They are numbered, so that counting one is as
// cheap as adding to an array. 0 is none: the finding is switched off.
type Site int32

// Tally counts what is found in a part of a batch that one service sent. It is
// used by one goroutine at a time, and again and again, so that it costs no
// allocation.
type Tally struct {
	Counts [IDs][Levels]int64 // by kind and level

	sites   []Key
	at      []int32 // by site
	touched []Site
	others  map[Key]int64

	overflow int64 // that there was no room for
}

// maxOthers bounds the names that one tally holds and no registry foresees: a
// service that makes up names may send as many in a batch as the batch has room
// for.
const maxOthers = 4096

// Begin empties the tally for a registry's sites, the first of which is none.
func (t *Tally) Begin(sites []Key) {
	if cap(t.at) < len(sites) {
		t.at = make([]int32, len(sites))
	}
	t.sites, t.at = sites, t.at[:len(sites)]
	if t.others == nil {
		t.others = make(map[Key]int64)
	}
}

// Foreseen counts a finding of a site, and returns its level.
func (t *Tally) Foreseen(s Site) Level {
	if s == 0 {
		return Off
	}
	if t.at[s] == 0 {
		t.touched = append(t.touched, s)
	}
	t.at[s]++
	k := &t.sites[s]
	t.Counts[k.ID][k.Level]++
	return k.Level
}

// Other counts a finding about something that the registry does not know.
func (t *Tally) Other(k Key) {
	if k.Level == Off {
		return
	}
	t.Counts[k.ID][k.Level]++
	k.Name, k.Of = clip(k.Name), clip(k.Of)
	if n, known := t.others[k]; known || len(t.others) < maxOthers {
		t.others[k] = n + 1
		return
	}
	t.overflow++
}

// Empty reports whether nothing was found.
func (t *Tally) Empty() bool { return len(t.touched) == 0 && len(t.others) == 0 }

// End calls f for everything that was found, empties the tally, and returns how
// many findings it had no room for. The strings of the keys may be parts of the
// telemetry.
func (t *Tally) End(f func(Key, int64)) (overflow int64) {
	for _, s := range t.touched {
		f(t.sites[s], int64(t.at[s]))
		t.at[s] = 0
	}
	t.touched = t.touched[:0]
	for k, n := range t.others {
		f(k, n)
	}
	clear(t.others)
	t.Counts = [IDs][Levels]int64{}
	overflow, t.overflow = t.overflow, 0
	return overflow
}

// maxName bounds, in bytes, what is kept of a name.
const maxName = 256

// clip cuts a name between two runes.
func clip(s string) string {
	if len(s) <= maxName {
		return s
	}
	end := maxName
	for end > maxName-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
