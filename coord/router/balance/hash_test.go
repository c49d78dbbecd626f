// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// owner returns who gets a request with a key; the request is over at once.
func (w *world) owner(key uint64, change ...func(*Request)) string {
	w.t.Helper()
	r := w.request()
	r.Key = key
	for _, c := range change {
		c(&r)
	}
	a, ok := w.pool.Pick(r)
	if !ok {
		w.t.Fatal("nobody takes a request")
	}
	a.Done(0, w.now, Cancelled, Unrelated)
	return a.Node().ID()
}

func hashed(t testing.TB, instances int) *world { return under(t, NewConsistentHash(0), instances) }

func TestEqualKeysGoToOneInstance(t *testing.T) {
	w, other := hashed(t, 10), hashed(t, 10)
	for key := uint64(1); key < 1000; key++ {
		first := w.owner(key)
		if again := w.owner(key); again != first {
			t.Fatalf("key %d went to %s, and then to %s", key, first, again)
		}
		if elsewhere := other.owner(key); elsewhere != first {
			t.Fatalf("key %d goes to %s for one caller, to %s for another", key, first, elsewhere)
		}
	}
}

func TestKeysThatCountUpAreSpreadByWeight(t *testing.T) {
	w := hashed(t, 10)
	w.who[0].Weight = 2
	w.update()
	got := make(map[string]float64)
	for key := range uint64(20_000) {
		got[w.owner(key+1)] += 1. / 20_000
	}
	for i, m := range w.who {
		want := 1. / 11
		if i == 0 {
			want = 2. / 11
		}
		if math.Abs(got[m.ID]-want) > 0.35*want {
			t.Errorf("%s has %.3f of the keys, want about %.3f", m.ID, got[m.ID], want)
		}
	}
}

func TestRequestsWithoutAKeyAreDrawnByWeight(t *testing.T) {
	w := hashed(t, 4)
	got := w.picks(8000, func(r *Request) { r.Key = 0 })
	near(t, got, map[string]float64{"i0": 0.25, "i1": 0.25, "i2": 0.25, "i3": 0.25}, 0.03)
}

// TestNobodyHasMoreThanItsPartInFlight: the bound of consistent hashing with bounded loads,
// with all requests for one key, and with any keys.
func TestNobodyHasMoreThanItsPartInFlight(t *testing.T) {
	for _, factor := range []float64{1.1, DefaultLoadFactor, 2} {
		for name, keys := range map[string]func(*world) uint64{
			"one key": func(*world) uint64 { return 42 }, "any keys": func(w *world) uint64 { return uint64(w.random(math.MaxInt)) + 1 },
		} {
			w := under(t, NewConsistentHash(factor), 10)
			w.who[0].Weight = 0.5
			w.update()
			for sent := 1; sent <= 500; sent++ {
				r := w.request()
				r.Key = keys(w)
				a, _ := w.pool.Pick(r)
				c := w.pool.table.Load().rotation
				bound := math.Ceil(factor*float64(sent)/9.5*c.Weight(c.Place(a.Node())) - 1e-9)
				if float64(a.Node().InFlight()) > bound {
					t.Fatalf("%s: %d of %d in flight at %s, the bound is %v", name, a.Node().InFlight(), sent, a.Node().ID(), bound)
				}
			}
		}
	}
}

func TestAnUnboundedKeyStaysWhateverTheLoad(t *testing.T) {
	w := under(t, NewConsistentHash(math.Inf(1)), 10)
	var first *Node
	for range 200 {
		r := w.request()
		r.Key = 42
		a, _ := w.pool.Pick(r)
		if first == nil {
			first = a.Node()
		}
		if a.Node() != first {
			t.Fatal("the key moved")
		}
	}
}

func TestALoadFactorThatIsNoneIsTheDefault(t *testing.T) {
	for _, f := range []float64{0, 1, -3, math.NaN(), math.Inf(-1)} {
		if got := NewConsistentHash(f).factor; got != DefaultLoadFactor {
			t.Errorf("factor %v is %v", f, got)
		}
	}
}

// TestAnInstanceThatLeavesMovesOnlyItsOwnKeys, and one that comes takes only as many as are
// its share.
func TestAnInstanceThatLeavesMovesOnlyItsOwnKeys(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(rt, "instances")
		gone := rapid.IntRange(0, n-1).Draw(rt, "gone")
		with := hashed(t, n)
		without := hashed(t, n)
		without.who = append(without.who[:gone:gone], without.who[gone+1:]...)
		without.update()
		for range 300 {
			key := rapid.Uint64Min(1).Draw(rt, "key")
			before, after := with.owner(key), without.owner(key)
			if before != fmt.Sprint("i", gone) && before != after {
				rt.Fatalf("key %d moved from %s to %s because i%d left", key, before, after, gone)
			}
		}
	})
}

func TestAnInstanceThatComesTakesItsShareOfTheKeys(t *testing.T) {
	for _, n := range []int{2, 10, 50} {
		before, after := hashed(t, n), hashed(t, n+1)
		moved := 0.0
		for key := uint64(1); key <= 20_000; key++ {
			was, is := before.owner(key), after.owner(key)
			if was != is && is != fmt.Sprint("i", n) {
				t.Fatalf("key %d moved from %s to %s because another came", key, was, is)
			}
			if was != is {
				moved += 1. / 20_000
			}
		}
		if want := 1 / float64(n+1); moved < 0.6*want || moved > 1.4*want {
			t.Errorf("the %dth took %.4f of the keys, want about %.4f", n+1, moved, want)
		}
	}
}

func TestKeysComeBackWithTheirInstance(t *testing.T) {
	w := hashed(t, 5)
	before := make(map[uint64]string)
	for key := uint64(1); key < 500; key++ {
		before[key] = w.owner(key)
	}
	w.sends("i0", 5, Error)
	for key, was := range before {
		if is := w.owner(key); is == "i0" || was != "i0" && is != was {
			t.Fatalf("key %d moved from %s to %s while i0 is out", key, was, is)
		}
	}
	w.now += base
	w.probes("i0", 3, OK)
	w.now += rampTime
	for key, was := range before {
		if is := w.owner(key); is != was {
			t.Fatalf("key %d is at %s, and was at %s before i0 was out", key, is, was)
		}
	}
}

func TestWhereFewAreUsableTheirKeysStay(t *testing.T) {
	w := hashed(t, 1000)
	few := func(r *Request) {
		r.Usable = func(n *Node) bool { return n.ID() == "i1" || n.ID() == "i500" || n.ID() == "i900" }
	}
	moved := 0
	for key := uint64(1); key < 500; key++ {
		if first := w.owner(key, few); first != w.owner(key, few) {
			moved++
		}
	}
	if moved > 0 {
		t.Errorf("%d of 499 keys moved", moved)
	}
	// All three have more than a thousandth of what is in flight: the one with the least.
	got := make(map[string]int)
	for range 300 {
		r := w.request()
		r.Key = 42
		few(&r)
		a, _ := w.pool.Pick(r)
		got[a.Node().ID()]++
	}
	for id, n := range got {
		if n < 80 || n > 120 {
			t.Errorf("%s has %d of 300 in flight, want about 100", id, n)
		}
	}
}

// TestTheRingIsMadeOnceForEachSetOfCandidates, whatever zones and variants requests come for.
func TestTheRingIsMadeOnceForEachSetOfCandidates(t *testing.T) {
	w := varied(t, NewConsistentHash(0))
	for key := uint64(1); key < 100; key++ {
		w.owner(key)
		w.owner(key, canary)
	}
	table := w.pool.table.Load()
	all, some := table.rotation.ring, table.variants["canary"].ring
	for key := uint64(1); key < 100; key++ {
		w.owner(key)
		w.owner(key, canary)
		w.update()
	}
	table = w.pool.table.Load()
	if all == nil || some == nil || table.rotation.ring != all || table.variants["canary"].ring != some {
		t.Error("the ring was made again, though nothing changed")
	}
}

// TestTheRingIsInOrder: sorting by bins gives what sorting gives.
func TestTheRingIsInOrder(t *testing.T) {
	for _, n := range []int{1, 2, 7, 300} {
		w := hashed(t, n)
		w.who[0].Weight = 0.001
		w.update()
		r := newRing(w.pool.table.Load().rotation)
		want := 1 + 100*(n-1)
		if n == 1 {
			want = 100
		}
		if len(r.points) != want {
			t.Errorf("%d points of %d instances, want %d", len(r.points), n, want)
		}
		for i := 1; i < len(r.points); i++ {
			if r.points[i].before(r.points[i-1]) {
				t.Fatalf("point %d is after point %d", i-1, i)
			}
		}
		for _, key := range []uint64{0, 1, math.MaxUint64, 1 << 63, r.points[0].hash, r.points[len(r.points)-1].hash} {
			at := r.after(key)
			if at > 0 && r.points[at-1].hash >= key || at < len(r.points) && r.points[at].hash < key {
				t.Errorf("after %x comes point %d", key, at)
			}
		}
	}
}
