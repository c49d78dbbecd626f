// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"math"
	"testing"
)

// zoned is a world whose caller is in zone a, of instances in the zones that are named.
func zoned(t testing.TB, callers float64, zones ...string) *world {
	w := under(t, Weighted{}, len(zones))
	for i, z := range zones {
		w.who[i].Zone = z
	}
	w.configure(func(s *Settings) { s.Zone, s.Callers = "a", callers })
	w.update()
	return w
}

// stays returns which part of the requests stays in zone a.
func (w *world) stays() float64 {
	w.t.Helper()
	part := 0.0
	for id, share := range w.picks(20_000, nil) {
		if w.choice(id).Member.Zone == "a" {
			part += share
		}
	}
	return part
}

func TestZones(t *testing.T) {
	for name, of := range map[string]struct {
		world func(t *testing.T) *world
		want  float64
	}{
		"all stay where the zone can take its share": {func(t *testing.T) *world {
			return zoned(t, 0, "a", "a", "b", "b")
		}, 1},
		"all stay where it could take more": {func(t *testing.T) *world {
			return zoned(t, 0, "a", "a", "a", "b")
		}, 1},
		"what it cannot take spills over": {func(t *testing.T) *world {
			return zoned(t, 0, "a", "b", "b", "b") // a quarter of the instances, half of the callers
		}, 0.5},
		"of three zones, a third of the callers are here": {func(t *testing.T) *world {
			return zoned(t, 0, "a", "b", "b", "b", "c", "c")
		}, 0.5},
		"more callers than instances here: more spills over": {func(t *testing.T) *world {
			return zoned(t, 0.8, "a", "a", "b", "b")
		}, 0.5 / 0.8},
		"fewer callers than instances here: all stay": {func(t *testing.T) *world {
			return zoned(t, 0.2, "a", "b", "b", "b")
		}, 1},
		"weights count, not heads": {func(t *testing.T) *world {
			w := zoned(t, 0, "a", "a", "b", "b")
			w.who[0].Weight, w.who[1].Weight = 0.5, 0.5
			w.update()
			return w
		}, (1. / 3) / 0.5},
		"who is out of rotation does not count": {func(t *testing.T) *world {
			w := zoned(t, 0, "a", "a", "b", "b")
			w.sends("i0", 5, Error)
			return w
		}, (1. / 3) / 0.5},
		"in panic there are no zones": {func(t *testing.T) *world {
			w := zoned(t, 0, "a", "a", "b", "b")
			w.sends("i2", 5, Error)
			w.sends("i3", 5, Error)
			w.sends("i1", 5, Error)
			return w
		}, 0.5},
		"a zone without instances prefers none": {func(t *testing.T) *world {
			w := zoned(t, 0, "a", "b", "b", "b")
			w.who[0].Zone = "b"
			w.update()
			return w
		}, 0},
		"who says no zone is elsewhere": {func(t *testing.T) *world {
			return zoned(t, 0.5, "a", "", "", "")
		}, 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			if got := of.world(t).stays(); math.Abs(got-of.want) > 0.02 {
				t.Errorf("%.3f of the requests stay, want %.3f", got, of.want)
			}
		})
	}
}

func TestWhoCannotBeReachedHereIsReachedElsewhere(t *testing.T) {
	w := zoned(t, 0, "a", "a", "b", "b")
	r := w.request()
	r.Usable = func(n *Node) bool { return n.ID() == "i3" }
	if a, ok := w.pool.Pick(r); !ok || a.Node().ID() != "i3" {
		t.Error("nobody got the request, though one elsewhere could")
	}
}

func TestEachInstanceGetsTheSameWhateverItsZone(t *testing.T) {
	// One caller in each of two zones, of two instances and six: all carry an eighth of both.
	got := make(map[string]float64)
	for _, zone := range []string{"a", "b"} {
		w := zoned(t, 0, "a", "a", "b", "b", "b", "b", "b", "b")
		w.configure(func(s *Settings) { s.Zone = zone })
		for id, share := range w.picks(40_000, nil) {
			got[id] += share / 2
		}
	}
	for id, share := range got {
		if math.Abs(share-0.125) > 0.01 {
			t.Errorf("%s carries %.3f of all requests, want 0.125", id, share)
		}
	}
}

// TestEqualKeysStayOrSpillAlike: what spills over are some keys, not some requests of each.
func TestEqualKeysStayOrSpillAlike(t *testing.T) {
	w := zoned(t, 0, "a", "b", "b", "b")
	w.configure(func(s *Settings) { s.Policy, s.Zone = NewConsistentHash(0), "a" })
	here := 0.0
	for key := uint64(1); key <= 4000; key++ {
		first := w.owner(key)
		if again := w.owner(key); again != first {
			t.Fatalf("key %d went to %s, and then to %s", key, first, again)
		}
		if first == "i0" {
			here += 1. / 4000
		}
	}
	if math.Abs(here-0.5) > 0.03 {
		t.Errorf("%.3f of the keys stay, want half", here)
	}
}
