// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// callersOf builds evidence of named callers, in the order of their hashes.
func callersOf(callers ...Caller) Evidence {
	e := Evidence{Seconds: 1}
	slices.SortFunc(callers, func(a, b Caller) int { return int(a.Hash) - int(b.Hash) })
	for _, c := range callers {
		e.Requests += c.Requests
		e.Failures += c.Failures
		e.Callers = append(e.Callers, c)
	}
	return e
}

func ok(hash, n uint64) Caller      { return Caller{Hash: hash, Requests: n} }
func failing(hash, n uint64) Caller { return Caller{Hash: hash, Requests: n, Failures: n} }

// of is the share of one collector that knows one scope.
func of(s Scope) *Share { return &Share{Service: "s", Collector: "c", Shards: 1, Scopes: []Scope{s}} }

func TestWhoOpensACircuit(t *testing.T) {
	for name, c := range map[string]struct {
		seen Evidence
		want CircuitState
	}{
		"nobody":                                 {callersOf(), Closed},
		"the only caller":                        {callersOf(failing(1, 20)), Open},
		"the only caller, with too few requests": {callersOf(failing(1, 19)), Closed},
		"one of two":                             {callersOf(failing(1, 500), ok(2, 20)), Closed},
		"one of three, however loud":             {callersOf(failing(1, 1<<30), ok(2, 1), ok(3, 1)), Closed},
		"three of four":                          {callersOf(failing(1, 7), failing(2, 7), failing(3, 7), ok(4, 1)), Open},
		"three of seven":                         {callersOf(failing(1, 20), failing(2, 20), failing(3, 20), ok(4, 1), ok(5, 1), ok(6, 1), ok(7, 1)), Closed},
		"half of the requests of each":           {callersOf(Caller{Hash: 1, Requests: 20, Failures: 10}, Caller{Hash: 2, Requests: 4, Failures: 2}), Open},
		"less than half":                         {callersOf(Caller{Hash: 1, Requests: 200, Failures: 99}), Closed},
		"three that are named, of hundreds that are not": {Evidence{Requests: 300, Failures: 40, Callers: callersOf(failing(1, 1), failing(2, 1), failing(3, 1)).Callers}, Closed},
	} {
		if got := Merge([]*Share{of(Scope{Evidence: c.seen})}).Circuit(""); got.State != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

func TestACircuitSaysItsFigures(t *testing.T) {
	f := Merge([]*Share{of(Scope{Route: "checkout", Evidence: callersOf(failing(1, 20), failing(2, 20)), Latch: Latch{State: Bad, Episode: 2, Age: time.Second, Hold: time.Minute}})})
	const want = "route checkout is open, episode 2: 2 of 2 callers saw it bad (50 % failing, quorum 3), 40 of 40 requests failed (at least 20)"
	if got := f.Circuit("checkout").String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := f.Circuit("search"); got.State != Closed || got.Share(0) != 1 || got.Route != "search" {
		t.Errorf("a route of which nothing is known: %+v", got)
	}
}

// A service that is down has no traffic once the circuit is open. Who starts now must not
// send to it either.
func TestANewReaderKeepsAnOpenVerdictWithoutTraffic(t *testing.T) {
	latched := of(Scope{Evidence: callersOf(failing(1, 20)), Latch: Latch{State: Bad, Episode: 1, Age: 20 * time.Second, Hold: 30 * time.Second}})
	c := Merge([]*Share{latched}).Circuit("")
	if c.State != Open || c.Share(time.Minute) != 0 || c.Episode != 1 || c.Hold != 30*time.Second {
		t.Errorf("%+v", c)
	}
}

func TestFreshGoodEvidenceOfEnoughCallersCloses(t *testing.T) {
	latched := of(Scope{Evidence: callersOf(failing(1, 20), failing(2, 20), failing(3, 20)), Latch: Latch{State: Bad, Episode: 1}})
	few := of(Scope{Evidence: callersOf(ok(4, 30), ok(5, 30), ok(6, 30))})
	if c := Merge([]*Share{latched, few}).Circuit(""); c.State != Open {
		t.Errorf("half of the callers still saw it bad, yet %v", c)
	}
	enough := of(Scope{Evidence: callersOf(ok(4, 30), ok(5, 30), ok(6, 30), ok(7, 30))})
	if c := Merge([]*Share{latched, enough}).Circuit(""); c.State != Closed {
		t.Errorf("most callers are content, yet %v", c)
	}
}

func TestHalfOpen(t *testing.T) {
	probation := func(age time.Duration, condemned, fresh Evidence) *Share {
		return of(Scope{Condemned: condemned, Evidence: fresh, Latch: Latch{State: Probation, Episode: 1, Age: age, Hold: Ramp}})
	}
	three := func() Evidence { return callersOf(failing(1, 20), failing(2, 20), failing(3, 20)) }
	for name, c := range map[string]struct {
		shares []*Share
		want   CircuitState
	}{
		"no probe yet":                                  {[]*Share{probation(0, three(), callersOf())}, HalfOpen},
		"probes that succeed":                           {[]*Share{probation(time.Second, three(), callersOf(ok(1, 50), ok(2, 50)))}, HalfOpen},
		"four probes that fail":                         {[]*Share{probation(time.Second, three(), callersOf(failing(1, 2), failing(2, 1), failing(3, 1)))}, HalfOpen},
		"five probes that fail, of all who condemned":   {[]*Share{probation(time.Second, three(), callersOf(failing(1, 2), failing(2, 2), failing(3, 1)))}, Open},
		"one who speaks first":                          {[]*Share{probation(time.Second, three(), callersOf(failing(1, 50)))}, HalfOpen},
		"one, when all had the time to speak":           {[]*Share{probation(Ramp, three(), callersOf(failing(1, 50)))}, Open},
		"one latched again, others not heard yet":       {[]*Share{of(Scope{Evidence: callersOf(failing(1, 5)), Latch: Latch{State: Bad, Episode: 2}}), probation(time.Second, callersOf(failing(2, 20), failing(3, 20)), callersOf())}, HalfOpen},
		"all latched again":                             {[]*Share{of(Scope{Evidence: callersOf(failing(1, 5), failing(2, 1), failing(3, 1)), Latch: Latch{State: Bad, Episode: 2}}), probation(time.Second, callersOf(failing(4, 20)), callersOf())}, Open},
		"one caller's word that others would not share": {[]*Share{probation(0, callersOf(failing(1, 20)), callersOf()), of(Scope{Evidence: callersOf(ok(2, 1), ok(3, 1))})}, Closed},
	} {
		if got := Merge(c.shares).Circuit(""); got.State != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

func TestTheShareOfAHalfOpenCircuitGrowsToAll(t *testing.T) {
	c := Circuit{State: HalfOpen, Hold: Ramp}
	for age, want := range map[time.Duration]string{0: "0.05", Ramp / 2: "0.22", Ramp: "1.00", time.Hour: "1.00", -time.Hour: "0.05"} {
		if got := fmt.Sprintf("%.2f", c.Share(age)); got != want {
			t.Errorf("after %v: %s, want %s", age, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		hold := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "hold"))
		c := Circuit{
			State: rapid.SampledFrom([]CircuitState{Closed, HalfOpen, Open}).Draw(t, "state"), Hold: hold,
			Age: time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "age")),
		}
		at := time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "since receipt"))
		more := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "later"))
		before, after := c.Share(at), c.Share(at+more)
		if before < 0 || after > 1 || after < before {
			t.Fatalf("%g, and %v later %g", before, more, after)
		}
	})
}

// drawScope makes a scope of callers from a small set, so that shares overlap.
func drawScope(t *rapid.T, label string) Scope {
	evidence := func(label string) Evidence {
		var list []Caller
		for h := range uint64(rapid.IntRange(0, 6).Draw(t, label+" callers")) {
			c := Caller{Hash: h + 1, Requests: rapid.Uint64Range(0, 40).Draw(t, "requests")}
			c.Failures = rapid.Uint64Range(0, c.Requests).Draw(t, "failures")
			list = append(list, c)
		}
		return callersOf(list...)
	}
	s := Scope{Evidence: evidence(label), Latch: Latch{State: rapid.SampledFrom([]State{Good, Bad, Probation}).Draw(t, "state")}}
	if s.Latch.State != Good {
		s.Latch.Episode = rapid.Uint32Range(1, 3).Draw(t, "episode")
		s.Latch.Age = time.Duration(rapid.IntRange(0, 3).Draw(t, "age")) * time.Second
		s.Latch.Hold = time.Duration(rapid.IntRange(1, 5).Draw(t, "hold")) * time.Second
	}
	if s.Latch.State == Probation {
		s.Condemned = evidence(label + " condemned")
	}
	return s
}

func TestEveryReaderHasTheSameCircuit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := of(drawScope(t, "a")), of(drawScope(t, "b")), of(drawScope(t, "c"))
		one, other := Merge([]*Share{a, b, c}).Scopes[""], Merge([]*Share{c, a, b}).Scopes[""]
		if one.Circuit != other.Circuit || !reflect.DeepEqual(one, other) {
			t.Fatalf("%v in one order, %v in another", one.Circuit, other.Circuit)
		}
		raw, err := Decode(Encode(a))
		if err != nil {
			t.Fatal(err)
		}
		if got := Merge([]*Share{raw, b, c}).Circuit(""); got != one.Circuit {
			t.Fatalf("%v here, %v for a reader across the wire", one.Circuit, got)
		}
	})
}

// Whatever is latched where: if only one caller of three or more saw failures, then nobody
// is kept from the service.
func TestOneCallerOfThreeOrMoreOpensNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var shares []*Share
		for i := range 3 {
			s := drawScope(t, fmt.Sprint(i))
			for _, e := range []*Evidence{&s.Evidence, &s.Condemned} {
				for j := range e.Callers {
					if e.Callers[j].Hash != 1 {
						e.Callers[j].Failures = 0
					}
				}
				*e = callersOf(e.Callers...)
			}
			shares = append(shares, of(s))
		}
		shares = append(shares, of(Scope{Evidence: callersOf(failing(1, 1<<20), ok(2, 1), ok(3, 1))}))
		if c := Merge(shares).Circuit(""); c.State != Closed {
			t.Fatalf("%v", c)
		}
	})
}

func TestMoreFailuresNeverCloseACircuit(t *testing.T) {
	rank := map[CircuitState]int{Closed: 0, HalfOpen: 1, Open: 2}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawScope(t, "a"), drawScope(t, "b")
		before := Merge([]*Share{of(a), of(b)}).Circuit("")
		a.Evidence.Callers = slices.Clone(a.Evidence.Callers)
		for i := range a.Evidence.Callers {
			c := &a.Evidence.Callers[i]
			more := rapid.Uint64Range(0, c.Requests-c.Failures).Draw(t, "more failures")
			c.Failures += more
			a.Evidence.Failures += more
		}
		if after := Merge([]*Share{of(a), of(b)}).Circuit(""); rank[after.State] < rank[before.State] {
			t.Fatalf("%v, and with more failures %v", before, after)
		}
	})
}

func TestAQuorumOpens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bad := rapid.IntRange(3, 10).Draw(t, "callers that saw it bad")
		good := rapid.IntRange(0, bad).Draw(t, "others")
		shares := []*Share{of(Scope{}), of(Scope{}), of(Scope{})}
		for i := range bad + good {
			c := ok(uint64(i+1), rapid.Uint64Range(7, 100).Draw(t, "requests"))
			if i < bad {
				c.Failures = (c.Requests + 1) / 2
			}
			at := rapid.IntRange(0, 2).Draw(t, "collector")
			e := &shares[at].Scopes[0].Evidence
			*e = callersOf(append(e.Callers, c)...)
		}
		if c := Merge(shares).Circuit(""); c.State != Open || c.BadCallers != bad {
			t.Fatalf("%v", c)
		}
	})
}

func TestReadingACircuitAllocatesNothing(t *testing.T) {
	f := Merge([]*Share{of(Scope{Evidence: callersOf(failing(1, 20))})})
	if n := testing.AllocsPerRun(100, func() { _ = f.Circuit("a").Share(time.Second) + f.Circuit("").Share(time.Second) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
