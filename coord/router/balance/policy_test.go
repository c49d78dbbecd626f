// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// under is a world whose pool chooses by a policy.
func under(t testing.TB, policy Policy, instances int) *world {
	w := newWorld(t, instances)
	w.configure(func(s *Settings) { s.Policy = policy })
	return w
}

// picks sends n requests that are answered at once, each with a key of its own, and returns
// who got which share of them.
func (w *world) picks(n int, change func(*Request)) map[string]float64 {
	w.t.Helper()
	got := make(map[string]float64)
	for range n {
		r := w.request()
		r.Key = uint64(w.random(math.MaxInt))
		if change != nil {
			change(&r)
		}
		a, ok := w.pool.Pick(r)
		if !ok {
			w.t.Fatal("nobody takes a request")
		}
		got[a.Node().ID()] += 1 / float64(n)
		a.Done(0, w.now, Cancelled, Unrelated)
	}
	return got
}

// near fails where shares are not what they should be, within some of it.
func near(t testing.TB, got, want map[string]float64, within float64) {
	t.Helper()
	for id, w := range want {
		if math.Abs(got[id]-w) > within {
			t.Errorf("%s got %.3f of the requests, want %.3f", id, got[id], w)
		}
	}
}

// everyPolicy runs a test under each policy that comes with the package.
func everyPolicy(t *testing.T, instances int, tell func(t *testing.T, w *world)) {
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) { tell(t, under(t, policy(), instances)) })
	}
}

func TestAnIdleFleetIsUsedByWeightUnderEveryPolicyButRoundRobin(t *testing.T) {
	everyPolicy(t, 3, func(t *testing.T, w *world) {
		w.who[0].Weight = 2
		w.update()
		want, within := map[string]float64{"i0": 0.5, "i1": 0.25, "i2": 0.25}, 0.02
		switch w.pool.Policy().(type) {
		case *RoundRobin:
			want, within = map[string]float64{"i0": 1. / 3, "i1": 1. / 3, "i2": 1. / 3}, 0.001
		case *ConsistentHash:
			within = 0.12 // of keys, by the luck of the ring
		}
		near(t, w.picks(20_000, nil), want, within)
	})
}

func TestWhoComesBackGetsATenthUnderEveryPolicyThatDraws(t *testing.T) {
	everyPolicy(t, 4, func(t *testing.T, w *world) {
		w.sends("i0", 5, Error)
		w.now += base
		w.probes("i0", 2, OK)
		w.begin("i0").Done(0, w.now, OK, Measured)
		// 0.1/3.1 where instances are drawn; of turns a tenth is taken.
		got, least, most := w.picks(20_000, nil)["i0"], 0.02, 0.045
		if _, ok := w.pool.Policy().(*ConsistentHash); ok {
			return // who owns a key owns it: a ramp would send its keys to others, and back
		}
		if got < least || got > most {
			t.Errorf("it gets %.3f of the requests, want 0.1/3.1", got)
		}
	})
}

func TestOnlyUsableInstancesAreChosenUnderEveryPolicy(t *testing.T) {
	everyPolicy(t, 50, func(t *testing.T, w *world) {
		got := w.picks(2_000, func(r *Request) {
			r.Usable = func(n *Node) bool { return n.ID() == "i7" || n.ID() == "i8" }
		})
		if math.Abs(got["i7"]+got["i8"]-1) > 1e-9 {
			t.Errorf("shares %v, want none but of i7 and i8", got)
		}
		if _, hashed := w.pool.Policy().(*ConsistentHash); !hashed && (got["i7"] < 0.3 || got["i8"] < 0.3) {
			if _, turns := w.pool.Policy().(*RoundRobin); !turns { // the next after many that are not usable
				t.Errorf("shares %v, want about half for each", got)
			}
		}
	})
}

func TestOneCandidateGetsEverythingUnderEveryPolicy(t *testing.T) {
	everyPolicy(t, 1, func(t *testing.T, w *world) {
		near(t, w.picks(100, nil), map[string]float64{"i0": 1}, 1e-9)
		if asked := w.asks(nil, nil); len(asked) > 0 {
			t.Errorf("asked %v, want nobody: there is nothing to choose", asked)
		}
	})
}

func TestNoCandidateIsNobodyUnderEveryPolicy(t *testing.T) {
	everyPolicy(t, 0, func(t *testing.T, w *world) {
		for _, key := range []uint64{0, 1} {
			if _, ok := w.pool.Pick(Request{Now: w.now, Random: w.random, Key: key}); ok {
				t.Error("chose somebody of nobody")
			}
		}
		w.asks(nil, nil)
	})
	everyPolicy(t, 3, func(t *testing.T, w *world) {
		r := w.request()
		r.Usable, r.Key = only("nobody"), 1
		if _, ok := w.pool.Pick(r); ok {
			t.Error("chose one that the caller cannot use")
		}
		if asked := w.asks(only("nobody"), nil); len(asked) > 0 {
			t.Errorf("asked %v, which the caller cannot use", asked)
		}
	})
}

func TestLeastRequestTakesTheOneWithFewerInFlightByWeight(t *testing.T) {
	w := under(t, LeastRequest{}, 2)
	w.who[0].Weight = 4
	w.update()
	for range 2 {
		w.begin("i0") // 2/1 in flight, against 1/0.25
	}
	w.begin("i1")
	if got := w.picks(100, nil); got["i1"] > 0 {
		t.Errorf("shares %v, want all for the greater one", got)
	}
}

func TestRoundRobinTakesTurnsAndBeginsSomewhere(t *testing.T) {
	begins := make(map[string]bool)
	for seed := range 20 {
		w := under(t, NewRoundRobin(func(n int) int { return seed }), 4)
		var order []string
		for range 8 {
			a, _ := w.pool.Pick(w.request())
			order = append(order, a.Node().ID())
		}
		begins[order[0]] = true
		if fmt.Sprint(order[:4]) != fmt.Sprint(order[4:]) {
			t.Errorf("turns %v, want the same again", order)
		}
	}
	if len(begins) != 4 {
		t.Errorf("callers begin with %v, want each with another", begins)
	}
}

// TestFewUsableInstancesShareEvenly: ten of a thousand, of which nine stand side by side. The
// first in a row behind many that are not usable must not get the requests of them all.
func TestFewUsableInstancesShareEvenly(t *testing.T) {
	w := under(t, Weighted{}, 1000)
	usable := map[string]bool{"i500": true}
	for i := range 9 {
		usable[fmt.Sprintf("i90%d", i)] = true
	}
	got := w.picks(20_000, func(r *Request) { r.Usable = func(n *Node) bool { return usable[n.ID()] } })
	for id := range usable {
		if got[id] < 0.07 || got[id] > 0.13 {
			t.Errorf("%s got %.3f of the requests, want 0.1", id, got[id])
		}
	}
}

// broken is a policy that answers what no policy may.
type broken int

func (b broken) Choose(*Candidates, Request) int { return int(b) }

func TestAPolicyWithoutAnOpinionOrWithAWrongOneLeavesItToChance(t *testing.T) {
	for _, answer := range []broken{-1, -7, 3, math.MaxInt} {
		near(t, under(t, answer, 3).picks(3_000, nil), map[string]float64{"i0": 1. / 3, "i1": 1. / 3, "i2": 1. / 3}, 0.05)
	}
	w := under(t, broken(0), 3) // which is not usable
	got := w.picks(3_000, func(r *Request) { r.Usable = func(n *Node) bool { return n.ID() != "i0" } })
	near(t, got, map[string]float64{"i0": 0, "i1": 0.5, "i2": 0.5}, 0.05)
}

// ledger is a policy that counts who begins and who ends.
type ledger struct{ begun, ended int }

func (*ledger) Choose(*Candidates, Request) int                             { return -1 }
func (l *ledger) Begun(*Node)                                               { l.begun++ }
func (l *ledger) Ended(*Node, time.Duration, time.Duration, Outcome, Speed) { l.ended++ }

func TestAPolicyHearsTheEndOfWhatItSawBegin(t *testing.T) {
	first, second := &ledger{}, &ledger{}
	w := under(t, first, 2)
	a, _ := w.pool.Pick(w.request())
	w.configure(func(s *Settings) { s.Policy = second })
	b, _ := w.pool.Pick(w.request())
	a.Done(0, w.now, Cancelled, Unrelated)
	b.Done(0, w.now, OK, Measured)
	if *first != (ledger{1, 1}) || *second != (ledger{1, 1}) {
		t.Errorf("the first saw %+v, the second %+v; want each its own request", *first, *second)
	}
}

func TestAWeightThatIsNoneIsTheLeast(t *testing.T) {
	for _, weight := range []float64{0, -1, math.NaN(), math.SmallestNonzeroFloat64} {
		everyPolicy(t, 3, func(t *testing.T, w *world) {
			w.who[0].Weight = weight
			w.update()
			got := w.picks(200, nil)
			if _, turns := w.pool.Policy().(*RoundRobin); !turns && got["i0"] > 0.1 {
				t.Errorf("weight %v got %.2f of the requests", weight, got["i0"])
			}
		})
	}
}

func TestWhatAPolicyLearnsOfItsCandidatesOutlivesATableThatIsTheSame(t *testing.T) {
	w := newWorld(t, 5)
	w.configure(func(s *Settings) {
		s.Zone, s.Variants = "a", map[string]func(Member) bool{"v": func(m Member) bool { return m.ID == "i1" }}
	})
	w.who[0].Zone = "a"
	w.update()
	before := w.pool.table.Load()
	w.update()
	after := w.pool.table.Load()
	if before == after || before.rotation != after.rotation || before.here != after.here ||
		before.elsewhere != after.elsewhere || before.variants["v"] != after.variants["v"] {
		t.Error("the same candidates were made again")
	}
	w.who[1].Weight = 0.5
	w.update()
	if c := w.pool.table.Load(); c.rotation == after.rotation || c.here != after.here {
		t.Error("want others where a weight changed, and only there")
	}
}

// TestCandidatesThatWereReplacedNeverNameAWrongInstance: numbers are used again, and who holds
// an older table must not take the new owner for the old one.
func TestCandidatesThatWereReplacedNeverNameAWrongInstance(t *testing.T) {
	w := newWorld(t, 4)
	before := w.pool.table.Load().rotation
	gone := w.node("i1")
	w.who = append(w.who[:1], w.who[2:]...)
	w.update()
	w.who = append(w.who, Member{ID: "new", Weight: 1, InService: true})
	w.update()
	now, fresh := w.pool.table.Load().rotation, w.node("new")
	if fresh.number != gone.number {
		t.Fatalf("number %d is not used again: %d", gone.number, fresh.number)
	}
	if i := before.Place(fresh); i >= 0 {
		t.Errorf("the new one is %s among those before it came", before.Node(i).ID())
	}
	if i := now.Place(gone); i >= 0 {
		t.Errorf("who left is %s among those that came after it", now.Node(i).ID())
	}
	if before.Node(before.Place(gone)) != gone || now.Node(now.Place(fresh)) != fresh {
		t.Error("each is not where it was")
	}
	for i := range 100 { // beyond what the older one has numbers for
		w.who = append(w.who, Member{ID: fmt.Sprint("more", i), Weight: 1, InService: true})
	}
	w.update()
	if before.Place(w.node("more99")) >= 0 {
		t.Error("who came later is among those before")
	}
}

func TestNumbersAreNoMoreThanEverWereMembersAtOnce(t *testing.T) {
	w := newWorld(t, 0)
	for generation := range 50 {
		w.who = w.who[:0:0]
		for i := range 10 {
			w.who = append(w.who, Member{ID: fmt.Sprint(generation, "-", i), Weight: 1, InService: true})
		}
		w.update()
	}
	if n := len(w.pool.table.Load().rotation.places); n > 20 {
		t.Errorf("%d numbers after fifty generations of ten, want at most twenty", n)
	}
}

func TestAnAnswerOfAnInstanceThatLeftIsNotUsed(t *testing.T) {
	w := lively(t, NewAdaptive(DefaultAdaptive()), 3)
	gone := w.node("i1")
	w.who = append(w.who[:1], w.who[2:]...)
	w.update()
	w.pool.Heard(w.request(), gone, Report{}) // that came late
	w.who = append(w.who, Member{ID: "new", Weight: 1, InService: true})
	w.update()
	for range 1000 {
		if a, _ := w.pool.Pick(w.request()); a.Node() == gone {
			t.Fatal("a request to who left")
		}
	}
}
