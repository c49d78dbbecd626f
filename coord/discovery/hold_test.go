// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Unix(0, 0)

func instances(status Status, ids ...int) map[string]Instance {
	m := make(map[string]Instance)
	for _, i := range ids {
		id := fmt.Sprintf("i%d", i)
		m[id] = Instance{Service: "s", ID: id, Status: status}
	}
	return m
}

func count(h *hold) (confirmed, unconfirmed int) {
	for _, m := range h.members() {
		if m.Unconfirmed {
			unconfirmed++
		} else {
			confirmed++
		}
	}
	return confirmed, unconfirmed
}

func expect(t *testing.T, h *hold, confirmed, unconfirmed int, when string) {
	t.Helper()
	if c, u := count(h); c != confirmed || u != unconfirmed {
		t.Errorf("%s: %d confirmed and %d unconfirmed, want %d and %d", when, c, u, confirmed, unconfirmed)
	}
}

func TestWhoVanishesWithMostOthersIsHeld(t *testing.T) {
	h := newHold(10 * time.Second)
	h.update(start, instances(Up, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), false)
	h.update(start.Add(time.Second), instances(Up, 0), false)
	expect(t, h, 1, 9, "nine of ten vanished at once")
	h.expire(start.Add(60 * time.Second))
	expect(t, h, 1, 9, "just before the hold ends")
	h.expire(start.Add(61 * time.Second))
	expect(t, h, 1, 0, "after the hold")
}

func TestTheHoldLastsThreeTTLsIfThatIsLonger(t *testing.T) {
	h := newHold(40 * time.Second)
	h.update(start, instances(Up, 0, 1), false)
	h.update(start, instances(Up), false)
	h.expire(start.Add(119 * time.Second))
	expect(t, h, 0, 2, "before 3 TTLs")
	h.expire(start.Add(120 * time.Second))
	expect(t, h, 0, 0, "after 3 TTLs")
}

func TestTheTTLOfWhatIsLostStillCounts(t *testing.T) {
	h := newHold(10 * time.Second)
	h.update(start, instances(Up, 0, 1, 2, 3), false)
	h.expect(30 * time.Second)
	h.update(start, instances(Up, 1, 2, 3), false)
	h.expect(2 * time.Second)
	h.update(start.Add(20*time.Second), instances(Up, 3), false)
	expect(t, h, 1, 3, "three of four vanished within 30 s")
}

func TestWhoSaidThatItGoesIsNotHeld(t *testing.T) {
	h := newHold(10 * time.Second)
	h.update(start, instances(Up, 0, 1, 2), false)
	h.left("i1")
	h.left("i2")
	h.left("nobody")
	h.update(start, instances(Up, 0), false)
	expect(t, h, 1, 0, "two of three left")
}

func TestWhoVanishesAloneIsGone(t *testing.T) {
	h := newHold(10 * time.Second)
	h.update(start, instances(Up, 0, 1, 2), false)
	h.update(start, instances(Up, 0, 1), false)
	expect(t, h, 2, 0, "one of three vanished")
}

func TestLossesWithinOneTTLCountTogether(t *testing.T) {
	h := newHold(10 * time.Second)
	h.update(start, instances(Up, 0, 1, 2, 3), false)
	h.update(start.Add(1*time.Second), instances(Up, 0, 1, 2), false)
	expect(t, h, 3, 0, "one of four")
	h.update(start.Add(2*time.Second), instances(Up, 0, 1), false)
	expect(t, h, 2, 0, "two of four are half")
	h.update(start.Add(3*time.Second), instances(Up, 0), false)
	expect(t, h, 1, 3, "three of four are more than half: those before, too")
}

func TestLossesFurtherApartDoNotCountTogether(t *testing.T) {
	h := newHold(10 * time.Second)
	h.update(start, instances(Up, 0, 1, 2, 3), false)
	for i, left := range [][]int{{0, 1, 2}, {0, 1}} {
		now := start.Add(time.Duration(11*(i+1)) * time.Second)
		h.update(now, instances(Up, left...), false)
		h.expire(now)
	}
	expect(t, h, 2, 0, "one every 11 s")
}

func TestWhoSaysThatItLeavesIsGone(t *testing.T) {
	h := newHold(10 * time.Second)
	h.update(start, instances(Up, 0, 1, 2), false)
	h.update(start, instances(Down, 0, 1, 2), false)
	h.update(start, instances(Up), false)
	expect(t, h, 0, 0, "all said that they go down")
}

func TestANewEpochHoldsWhoeverIsMissing(t *testing.T) {
	h := newHold(10 * time.Second)
	h.update(start, instances(Up, 0, 1, 2, 3), false)
	h.update(start, instances(Up, 0, 1, 2), true)
	expect(t, h, 3, 1, "one of four is missing in a new epoch")
}

func TestWhoIsBackIsConfirmed(t *testing.T) {
	h := newHold(10 * time.Second)
	h.update(start, instances(Up, 0, 1, 2), false)
	h.update(start, instances(Up), false)
	h.update(start, instances(Up, 1), false)
	expect(t, h, 1, 2, "one of three is back")
}

func TestNobodyIsLostTwiceOrKeptForEver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHold(10 * time.Second)
		now := start
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			ids := rapid.SliceOfDistinct(rapid.IntRange(0, 9), rapid.ID[int]).Draw(t, "announced")
			h.update(now, instances(Up, ids...), rapid.Bool().Draw(t, "epoch"))
			h.expire(now)
			seen := make(map[string]bool)
			for _, m := range h.members() {
				if seen[m.ID] {
					t.Fatalf("%s is there twice", m.ID)
				}
				seen[m.ID] = true
			}
			if c, _ := count(h); c != len(ids) {
				t.Fatalf("%d confirmed, %d are announced", c, len(ids))
			}
		}
		if next := h.expire(now.Add(h.holdFor())); !next.IsZero() {
			t.Fatalf("something is kept past the longest hold, until %v", next)
		}
	})
}
