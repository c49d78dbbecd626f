// SPDX-License-Identifier: Apache-2.0

package slice

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Version is that of the format.
const Version = 1

// MaxEntries and MaxKey bound a share to 64 kB.
const (
	MaxEntries = 256
	MaxKey     = 200
)

// Share is what a collector publishes.
type Share struct {
	// Sequence grows with each share of a collector.
	Sequence uint64

	// Default is the part that it claims of each budget without an entry.
	Default float64

	Entries map[string]Entry
}

// Entry is about one budget; both are parts of it.
type Entry struct{ Demand, Claim float64 }

// claim returns what of a budget a share claims.
func (s *Share) claim(key string) float64 {
	if e, ok := s.Entries[key]; ok {
		return e.Claim
	}
	return s.Default
}

// wire is the JSON of a share.
type wire struct {
	V int                   `json:"v"`
	S uint64                `json:"s"`
	D float64               `json:"d"`
	E map[string][2]float64 `json:"e,omitempty"` // demand, claim
}

// Encode returns the bytes of a share.
func Encode(s Share) []byte {
	w := wire{V: Version, S: s.Sequence, D: s.Default, E: make(map[string][2]float64, len(s.Entries))}
	for k, e := range s.Entries {
		w.E[k] = [2]float64{e.Demand, e.Claim}
	}
	b, err := json.Marshal(w)
	if err != nil {
		panic(err) // claims and demands are numbers
	}
	return b
}

// Decode reads a share, and refuses one that no collector would write.
func Decode(b []byte) (Share, error) {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return Share{}, fmt.Errorf("slice: %w", err)
	}
	if w.V != Version {
		return Share{}, fmt.Errorf("slice: version %d is not %d", w.V, Version)
	}
	s := Share{Sequence: w.S, Default: w.D, Entries: make(map[string]Entry, len(w.E))}
	if !part(w.D) || len(w.E) > MaxEntries {
		return Share{}, errors.New("slice: the share claims more than there is, or of too many budgets")
	}
	for k, e := range w.E {
		if len(k) > MaxKey || !part(e[1]) || !(e[0] >= 0) {
			return Share{}, errors.New("slice: an entry is none")
		}
		s.Entries[k] = Entry{Demand: min(e[0], maxDemand), Claim: e[1]}
	}
	return s, nil
}

// part says whether a number is a part of a whole.
func part(x float64) bool { return x >= 0 && x <= 1+tolerance }

// maxDemand is the most that is told of a demand, as a multiple of the budget: JSON has
// no infinity, and beyond it nothing is told apart.
const maxDemand = 1e12

// round keeps three digits, so that what changes little is not written again.
func round(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	x = min(x, maxDemand)
	unit := math.Pow(10, math.Floor(math.Log10(x))-2)
	return math.Round(x/unit) * unit
}
