// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"pgregory.net/rapid"
)

const base = 5 * time.Second

// fleet drives an aggregate through seconds.
type fleet struct {
	t *testing.T
	*Aggregate
	now time.Duration
}

func newFleet(t *testing.T) *fleet { return &fleet{t: t, Aggregate: New(base, 100), now: time.Hour} }

// report is what one caller sends within a second.
type report struct {
	caller       string
	ok, failed   uint64
	ejected      bool
	instanceName string // "" is "a"
}

// second lets a second pass in which callers report, and looks.
func (f *fleet) second(reports ...report) {
	f.t.Helper()
	f.now += 500 * time.Millisecond
	for _, r := range reports {
		target := Target{Service: "s", Instance: "a"}
		if r.instanceName != "" {
			target.Instance = r.instanceName
		}
		hash := signal.HashCaller(r.caller)
		for outcome, n := range map[Outcome]uint64{OK: r.ok, Error: r.failed} {
			if n > 0 {
				// Bucket 0 at scale 0 is (1, 2] s.
				if err := f.Record(f.now, hash, target, &Measurement{Outcome: outcome, Count: n, Sum: float64(n) * 1.5, Buckets: []uint64{n}}); err != nil {
					f.t.Fatal(err)
				}
			}
		}
		if r.ejected {
			if err := f.Eject(f.now, hash, target); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	f.now += 500 * time.Millisecond
	f.Look(f.now)
}

// merged returns what a reader makes of the newest shares.
func (f *fleet) merged() *signal.Fleet {
	var shares []*signal.Share
	for _, s := range f.services {
		for i := range s.shards {
			if share, _ := f.Share(f.now, Work{Service: s.name, Shard: i, Shards: s.shards}); share != nil {
				shares = append(shares, share)
			}
		}
	}
	return signal.Merge(shares)
}

func (f *fleet) verdict() signal.Verdict {
	f.t.Helper()
	s := f.merged().Instances["a"]
	if s == nil {
		f.t.Fatal("the instance is not known")
	}
	return s.Verdict
}

func (f *fleet) want(state signal.State, when string) {
	f.t.Helper()
	if v := f.verdict(); v.State != state {
		f.t.Errorf("%s: %v, want %v", when, v, state)
	}
}

func TestWhoIsBelieved(t *testing.T) {
	healthy := func(n int) (list []report) {
		for i := range n {
			list = append(list, report{caller: fmt.Sprint("healthy-", i), ok: 20})
		}
		return list
	}
	for name, c := range map[string]struct {
		reports []report
		want    signal.State
	}{
		"one caller alone is believed":                   {[]report{{caller: "x", failed: 12}}, signal.Bad},
		"too few requests are no evidence":               {[]report{{caller: "x", failed: 9}}, signal.Good},
		"one of ten moves nothing, however loud":         {append(healthy(9), report{caller: "liar", failed: 2000}), signal.Good},
		"one of ten that says it ejected moves nothing":  {append(healthy(9), report{caller: "liar", ok: 1, ejected: true}), signal.Good},
		"three of four are believed":                     {append(healthy(1), report{caller: "x", failed: 20}, report{caller: "y", failed: 20}, report{caller: "z", failed: 20}), signal.Bad},
		"two of four are not":                            {append(healthy(2), report{caller: "x", failed: 20}, report{caller: "y", failed: 20}), signal.Good},
		"an ejection speaks though its failures are few": {[]report{{caller: "x", ok: 40, failed: 5, ejected: true}}, signal.Bad},
		"both of two callers that ejected are believed":  {[]report{{caller: "x", ok: 40, failed: 5, ejected: true}, {caller: "y", ok: 40, failed: 5, ejected: true}}, signal.Bad},
		"the processes of one principal are one voice":   {append(healthy(2), report{caller: "x", failed: 20}, report{caller: "x", failed: 20}, report{caller: "x", failed: 20}), signal.Good},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			f.second(c.reports...)
			f.want(c.want, "after a second")
		})
	}
}

// Callers report once a second, each at a time of its own; a liar reports as often as it likes.
func TestWhoSpeaksFirstInASecondIsNotAlone(t *testing.T) {
	for _, honest := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(honest, " honest callers"), func(t *testing.T) {
			f := newFleet(t)
			target := Target{Service: "s", Instance: "a"}
			tell := func(caller string, outcome Outcome, n uint64) {
				m := &Measurement{Outcome: outcome, Count: n, Sum: float64(n) * 1.5, Buckets: []uint64{n}}
				if err := f.Record(f.now, signal.HashCaller(caller), target, m); err != nil {
					t.Fatal(err)
				}
			}
			for step := range 100 { // of a quarter of a second
				if step > 4 {
					tell("liar", Error, 1000)
				}
				f.Look(f.now)
				if step > 4 {
					f.want(signal.Good, fmt.Sprint("after ", step, " quarters of a second"))
					if c := f.merged().Circuit(""); c.State != signal.Closed {
						t.Fatalf("after %d quarters of a second the circuit is %v", step, c)
					}
				}
				f.now += 125 * time.Millisecond
				for i := range honest {
					if step%4 == (i+2)%4 {
						tell(fmt.Sprint("honest-", i), OK, 30)
					}
				}
				f.now += 125 * time.Millisecond
			}
		})
	}
}

func TestALiarLowersTheWeightByLittle(t *testing.T) {
	f := newFleet(t)
	for range 10 {
		reports := []report{{caller: "liar", failed: 2000}}
		for i := range 9 {
			reports = append(reports, report{caller: fmt.Sprint(i), ok: 20})
		}
		f.second(reports...)
	}
	if v := f.verdict(); v.State != signal.Good || v.Weight < 0.8 {
		t.Errorf("%v with weight %.2f, want good with at least 0.8", v, v.Weight)
	}
}

func TestAVerdictIsKeptAfterItsTrafficEnded(t *testing.T) {
	f := newFleet(t)
	f.second(report{caller: "x", ok: 10, failed: 20, ejected: true})
	f.want(signal.Bad, "at the fault")
	for range 4 {
		f.second()
		f.want(signal.Bad, "while the latch holds, without traffic")
	}
	f.second()
	f.second()
	f.want(signal.Probation, "after the base")
	for range 5 {
		f.second()
	}
	f.want(signal.Good, "after a probation without requests")
	for range 31 {
		f.second()
	}
	if n := f.Instances(); n != 0 {
		t.Errorf("%d instances after 30 s without traffic or verdict", n)
	}
}

func TestAProbeThatFailsIsTheNextEpisode(t *testing.T) {
	f := newFleet(t)
	f.second(report{caller: "x", failed: 20})
	for range 6 {
		f.second()
	}
	f.want(signal.Probation, "after the first latch")
	f.second(report{caller: "x", failed: 1, ejected: true})
	f.want(signal.Bad, "after one failed probe")
	if l := f.merged().Instances["a"].Latch; l.Episode != 2 || l.Hold != 2*base {
		t.Errorf("latch %+v, want episode 2, held for %v", l, 2*base)
	}
	for range 9 {
		f.second()
		f.want(signal.Bad, "in the second latch")
	}
}

func TestTenSuccessesOnProbationEndIt(t *testing.T) {
	f := newFleet(t)
	f.second(report{caller: "x", failed: 20})
	for range 6 {
		f.second()
	}
	f.second(report{caller: "x", ok: 1})
	f.want(signal.Probation, "after one successful probe")
	f.second()
	f.second(report{caller: "x", ok: 10})
	f.second(report{caller: "x", ok: 10})
	f.want(signal.Good, "after more than ten")
	f.second(report{caller: "x", failed: 20})
	if l := f.merged().Instances["a"].Latch; l.Episode != 1 {
		t.Errorf("episode %d after a clean probation, want to count anew", l.Episode)
	}
}

func TestFreshEvidenceEndsALatchEarly(t *testing.T) {
	f := newFleet(t)
	f.second(report{caller: "x", failed: 20})
	f.second(report{caller: "y", ok: 30})
	f.want(signal.Bad, "in the second after: that may tell of before")
	f.second(report{caller: "y", ok: 30})
	f.second(report{caller: "y", ok: 30})
	f.want(signal.Good, "after another caller found it well")
}

func TestABadInstanceThatStillGetsTrafficStaysBad(t *testing.T) {
	f := newFleet(t)
	for range 20 {
		f.second(report{caller: "x", failed: 20})
		f.want(signal.Bad, "while it fails")
	}
}

func TestWindows(t *testing.T) {
	f := newFleet(t)
	for range 70 {
		f.second(report{caller: "x", ok: 8, failed: 2})
	}
	s := f.merged().Instances["a"]
	for _, c := range []struct {
		seconds  uint32
		min, max uint64
	}{{1, 10, 10}, {10, 100, 100}, {60, 500, 600}} {
		w := s.Window(c.seconds)
		if w == nil || w.Requests < c.min || w.Requests > c.max || w.Errors*5 != w.Requests || w.Latency.Count() != w.Requests-w.Errors {
			t.Errorf("window of %d s: %+v", c.seconds, w)
		}
	}
	if got := s.Latency(); got < 1400*time.Millisecond || got > 1600*time.Millisecond {
		t.Errorf("latency %v, want 1.5s", got)
	}
}

func TestCancelledAttemptsSayNothing(t *testing.T) {
	f := newFleet(t)
	target := Target{Service: "s", Instance: "a"}
	if err := f.Record(f.now, 1, target, &Measurement{Outcome: Cancelled, Count: 50, Sum: 1}); err != nil {
		t.Fatal(err)
	}
	f.second()
	v := f.verdict()
	if v.State != signal.Good || v.Requests != 0 || v.Callers != 0 {
		t.Errorf("%+v", v)
	}
}

func TestWhatIsWritten(t *testing.T) {
	f := newFleet(t)
	steady := report{caller: "x", ok: 100}
	f.second(steady)
	if w := f.Pending(); len(w) != 1 || w[0].Urgent {
		t.Errorf("a new instance: %+v", w)
	}
	for range 15 {
		f.second(steady)
		f.merged()
	}
	for range 20 {
		f.second(steady)
		if w := f.Pending(); len(w) != 0 {
			t.Fatalf("nothing changed, and yet %+v", w)
		}
	}
	f.second(report{caller: "x", ok: 20, failed: 80})
	if w := f.Pending(); len(w) != 1 || !w[0].Urgent {
		t.Errorf("a verdict that turned: %+v", w)
	}
}

func TestUrgentSharesComeFirst(t *testing.T) {
	a := New(base, 100)
	for i := range 5 {
		outcome := OK
		if i == 3 {
			outcome = Error
		}
		if err := a.Record(time.Hour, 1, Target{Service: fmt.Sprint("s", i), Instance: "a"}, &Measurement{Outcome: outcome, Count: 20, Sum: 1}); err != nil {
			t.Fatal(err)
		}
	}
	a.Look(time.Hour)
	if w := a.Pending(); len(w) != 5 || w[0].Service != "s3" || !w[0].Urgent {
		t.Errorf("%+v", w)
	}
}

func TestSharesHoldWhatFits(t *testing.T) {
	a := New(base, 10_000)
	now := time.Hour
	for i := range 1000 {
		if err := a.Record(now, 1, Target{Service: "s", Instance: fmt.Sprint("instance-", i)}, &Measurement{Count: 20, Sum: 1, Buckets: []uint64{20}}); err != nil {
			t.Fatal(err)
		}
	}
	a.Look(now)
	seen := 0
	var stale uint32
	for _, w := range a.Pending() {
		share, s := a.Share(now, w)
		stale = max(stale, s)
		seen += len(share.Instances)
		if n := len(share.Instances); n > signal.MaxShareInstances || len(signal.Encode(share)) > signal.MaxShareBytes {
			t.Errorf("a share of %d instances and %d bytes", n, len(signal.Encode(share)))
		}
	}
	if seen != 1000 || stale != 1 {
		t.Errorf("%d instances in the shares, former layout %d", seen, stale)
	}
	if len(a.Pending()) != 0 {
		t.Error("written, and still pending")
	}
}

func TestBounds(t *testing.T) {
	a := New(base, 10)
	for i := range 20 {
		err := a.Record(0, 1, Target{Service: fmt.Sprint("s", i%4), Instance: fmt.Sprint(i)}, &Measurement{Count: 1})
		if (err != nil) != (i >= 10) {
			t.Errorf("instance %d: %v", i, err)
		}
	}
	in := &instance{}
	for i := range 1000 {
		in.caller(signal.HashCaller(fmt.Sprint(i)))
	}
	if n := len(in.callers); n != signal.MaxCallers {
		t.Errorf("%d callers are kept", n)
	}
	if !slices.IsSortedFunc(in.callers, func(a, b *caller) int {
		if a.hash < b.hash {
			return -1
		}
		return 1
	}) {
		t.Error("callers out of order")
	}
}

// Two collectors that share the traffic say together what one that sees all of it
// says.
func TestTwoCollectorsMergeToWhatOneSees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, left, right := New(base, 100), New(base, 100), New(base, 100)
		now := time.Hour
		for range rapid.IntRange(1, 40).Draw(t, "reports") {
			m := &Measurement{
				Outcome: Outcome(rapid.IntRange(0, 4).Draw(t, "outcome")), Count: rapid.Uint64Range(1, 50).Draw(t, "count"),
				Sum: 1, Scale: 3, Offset: rapid.Int32Range(-80, 20).Draw(t, "offset"),
			}
			m.Buckets = []uint64{m.Count}
			target := Target{Service: "s", Instance: fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "instance"))}
			caller := signal.HashCaller(fmt.Sprint(rapid.IntRange(0, 60).Draw(t, "caller")))
			half := left
			if rapid.Bool().Draw(t, "half") {
				half = right
			}
			for _, a := range []*Aggregate{one, half} {
				if err := a.Record(now, caller, target, m); err != nil {
					t.Fatal(err)
				}
			}
		}
		now += time.Second
		shares := func(a *Aggregate) (list []*signal.Share) {
			if share, _ := a.Share(now, Work{Service: "s", Shards: 1}); share != nil {
				list = append(list, share)
			}
			return list
		}
		whole, both := signal.Merge(shares(one)), signal.Merge(append(shares(left), shares(right)...))
		for id, want := range whole.Instances {
			got := both.Instances[id]
			if got == nil || got.Evidence.Failures != want.Evidence.Failures && got.Evidence.Seconds == want.Evidence.Seconds {
				t.Fatalf("instance %s: %+v, want %+v", id, got, want)
			}
			if w, g := want.Window(10), got.Window(10); (w == nil) != (g == nil) || w != nil && (w.Requests != g.Requests || w.Failures() != g.Failures() || w.Latency.Count() != g.Latency.Count()) {
				t.Fatalf("instance %s: window %+v, want %+v", id, g, w)
			}
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	a := New(base, 10_000)
	targets := make([]Target, 1000)
	for i := range targets {
		targets[i] = Target{Service: fmt.Sprint("s", i%100), Instance: fmt.Sprint("i", i)}
	}
	m := &Measurement{Count: 20, Sum: 0.2, Scale: 3, Offset: -60, Buckets: []uint64{1, 3, 8, 5, 2, 1}}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := a.Record(time.Duration(i)*time.Millisecond, uint64(i%20), targets[i%len(targets)], m); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
