// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// evidence builds evidence from one {requests, failures} pair a caller.
func evidence(callers ...[2]uint64) *Evidence {
	e := &Evidence{Seconds: 1}
	for i, c := range callers {
		e.Requests += c[0]
		e.Failures += c[1]
		e.Callers = append(e.Callers, Caller{Hash: uint64(i + 1), Requests: c[0], Failures: c[1]})
	}
	return e
}

func TestWhoIsBelieved(t *testing.T) {
	ok, bad, half := [2]uint64{20, 0}, [2]uint64{20, 20}, [2]uint64{20, 10}
	for name, c := range map[string]struct {
		callers []([2]uint64)
		state   State
		weight  float64
	}{
		"one caller alone is believed":                              {[][2]uint64{bad}, Bad, MinWeight},
		"one of two is not":                                         {[][2]uint64{bad, ok}, Good, 0.5},
		"both of two are":                                           {[][2]uint64{bad, bad}, Bad, MinWeight},
		"one of three ejects nobody and takes no weight":            {[][2]uint64{bad, ok, ok}, Good, 1},
		"two of three lower the weight":                             {[][2]uint64{bad, bad, ok}, Good, 0.5},
		"three of three eject":                                      {[][2]uint64{bad, bad, bad}, Bad, MinWeight},
		"three of six are half":                                     {[][2]uint64{bad, bad, bad, ok, ok, ok}, Bad, 0.6},
		"three of seven are less than half":                         {[][2]uint64{bad, bad, bad, ok, ok, ok, ok}, Good, 1 - 2.0/6},
		"one of ten that shouts 100 times as loud moves nothing":    {[][2]uint64{{2000, 2000}, ok, ok, ok, ok, ok, ok, ok, ok, ok}, Good, 1},
		"two of ten that shout count a third each at the most":      {[][2]uint64{{2000, 2000}, {2000, 2000}, ok, ok, ok, ok, ok, ok, ok, ok}, Good, 1 - (1.0/3)/(1.0/3+160.0/2160)},
		"half of a caller's requests failing is seeing it bad":      {[][2]uint64{half}, Bad, 0.5},
		"too few requests say nothing":                              {[][2]uint64{{9, 9}}, Good, 1},
		"nobody sent":                                               {nil, Good, 1},
		"a caller without requests has no voice":                    {[][2]uint64{bad, {0, 0}}, Bad, MinWeight},
		"more failures than requests count as all requests failing": {[][2]uint64{{10, 1000}}, Bad, MinWeight},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(evidence(c.callers...), MinRequests)
			if v.State != c.state {
				t.Errorf("%s; want %s", v, c.state)
			}
			if diff := v.Weight - c.weight; diff > 1e-9 || diff < -1e-9 {
				t.Errorf("weight %g, want %g", v.Weight, c.weight)
			}
		})
	}
}

func TestAnEjectionSpeaksThoughTheFailuresAreFew(t *testing.T) {
	e := evidence([2]uint64{200, 5}) // 5 failures in a row among 200 requests a second, then silence
	if v := Judge(e, MinRequests); v.State != Good {
		t.Fatalf("2.5 %% of failures condemn: %s", v)
	}
	e.Callers[0].Ejected = true
	if v := Judge(e, MinRequests); v.State != Bad {
		t.Fatalf("the only caller ejected the instance, yet: %s", v)
	}
}

// Who calls an instance once in two seconds and ejects it has no ten requests to show.
func TestEjectionsNeedNoVolume(t *testing.T) {
	ejected := func(e *Evidence, n int) *Evidence {
		for i := range n {
			e.Callers[i].Ejected = true
		}
		return e
	}
	few, ok := [2]uint64{2, 2}, [2]uint64{2, 0}
	for name, c := range map[string]struct {
		e    *Evidence
		want State
	}{
		"the only caller":                     {ejected(evidence(few), 1), Bad},
		"the only caller, without a request":  {ejected(evidence([2]uint64{0, 0}), 1), Bad},
		"one of two":                          {ejected(evidence(few, ok), 1), Good},
		"one ejects, the other saw few":       {ejected(evidence(few, few), 1), Good},
		"one of three":                        {ejected(evidence(few, ok, ok), 1), Good},
		"three of four":                       {ejected(evidence(few, few, few, ok), 3), Bad},
		"three of seven":                      {ejected(evidence(ok, ok, ok, [2]uint64{1, 0}, [2]uint64{1, 0}, [2]uint64{1, 0}, [2]uint64{0, 0}), 3), Bad},
		"three of seven that all send to it":  {ejected(evidence(few, [2]uint64{1, 0}, few, [2]uint64{1, 0}, [2]uint64{1, 0}, [2]uint64{1, 0}, [2]uint64{1, 0}), 3), Good},
		"nobody ejects, and the few all fail": {evidence(few, few), Good},
	} {
		if v := Judge(c.e, MinRequests); v.State != c.want {
			t.Errorf("%s: %s, want %s", name, v, c.want)
		}
	}
}

func TestOnProbationEveryProbeCounts(t *testing.T) {
	if v := Judge(evidence([2]uint64{1, 1}), 1); v.State != Bad {
		t.Errorf("a failed probe says %s", v)
	}
	if v := Judge(evidence([2]uint64{1, 0}), 1); v.State != Good {
		t.Errorf("a successful probe says %s", v)
	}
}

func TestOneVoiceAmongThreeOrMoreMovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		honest := rapid.IntRange(2, 31).Draw(t, "honest callers")
		callers := [][2]uint64{{rapid.Uint64Range(1, 1<<30).Draw(t, "requests claimed"), 0}}
		callers[0][1] = rapid.Uint64Range(0, 1<<31).Draw(t, "failures claimed")
		for range honest {
			callers = append(callers, [2]uint64{rapid.Uint64Range(1, 1000).Draw(t, "requests"), 0})
		}
		e := evidence(callers...)
		e.Callers[0].Ejected = rapid.Bool().Draw(t, "ejection claimed")
		if v := Judge(e, 1); v.State != Good || v.Weight != 1 {
			t.Fatalf("one liar among %d: %s, weight %g", honest+1, v, v.Weight)
		}
	})
}

func TestHoldGrowsWithTheEpisodeUpToItsCap(t *testing.T) {
	for _, c := range []struct {
		base    time.Duration
		episode uint32
		want    time.Duration
	}{
		{30 * time.Second, 0, 0}, {30 * time.Second, 1, 30 * time.Second}, {30 * time.Second, 3, 90 * time.Second},
		{30 * time.Second, 10, MaxHold}, {30 * time.Second, 1 << 31, MaxHold}, {time.Hour, 1, MaxHold}, {0, 5, 0}, {time.Nanosecond, 1 << 31, 1 << 31},
	} {
		if got := Hold(c.base, c.episode); got != c.want {
			t.Errorf("base %v, episode %d: %v, want %v", c.base, c.episode, got, c.want)
		}
	}
}

// draw makes a share of up to three instances, with callers from a small set so
// that shares overlap.
func draw(t *rapid.T, label string) *Share {
	s := &Share{Service: "s", Collector: label}
	for _, id := range []string{"a", "b", "c"} {
		if !rapid.Bool().Draw(t, label+id) {
			continue
		}
		in := Instance{ID: id, Zone: rapid.SampledFrom([]string{"", "z1", "z2"}).Draw(t, "zone")}
		for h := range uint64(40) {
			if !rapid.Bool().Draw(t, "caller") {
				continue
			}
			c := Caller{Hash: h, Requests: rapid.Uint64Range(0, 50).Draw(t, "requests"), Ejected: rapid.Bool().Draw(t, "ejected")}
			c.Failures = rapid.Uint64Range(0, c.Requests).Draw(t, "failures")
			in.Evidence.Requests += c.Requests
			in.Evidence.Failures += c.Failures
			if len(in.Evidence.Callers) < MaxCallers {
				in.Evidence.Callers = append(in.Evidence.Callers, c)
			}
		}
		in.Latch.State = rapid.SampledFrom([]State{Good, Bad, Probation}).Draw(t, "state")
		w := Window{Seconds: 10, Requests: in.Evidence.Requests, Errors: in.Evidence.Failures}
		w.Latency.Record(0.01, in.Evidence.Requests)
		in.Windows = append(in.Windows, w)
		s.Instances = append(s.Instances, in)
	}
	return s
}

func TestTheOrderOfSharesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := draw(t, "a"), draw(t, "b"), draw(t, "c")
		one, other := Merge([]*Share{a, b, c}), Merge([]*Share{c, a, b})
		for id, s := range one.Instances {
			o := other.Instances[id]
			if s.Verdict != o.Verdict || !reflect.DeepEqual(s.Evidence, o.Evidence) || s.Latch.State != o.Latch.State {
				t.Fatalf("instance %s: %s in one order, %s in another", id, s.Verdict, o.Verdict)
			}
		}
	})
}

func TestMergingLeavesTheSharesAsTheyWere(t *testing.T) {
	a, b := sample(), sample()
	Merge([]*Share{a, b})
	Merge([]*Share{a, b})
	if !reflect.DeepEqual(a, sample()) || !reflect.DeepEqual(b, sample()) {
		t.Fatal("merging changed a share that readers hold")
	}
}

func TestWhatOneCollectorLatchedFreshEvidenceOfOthersOutvotes(t *testing.T) {
	latched := &Share{Collector: "1", Instances: []Instance{{ID: "i", Evidence: *evidence([2]uint64{12, 12}), Latch: Latch{State: Bad, Episode: 1}}}}
	if got := Merge([]*Share{latched}).Instances["i"].Verdict; got.State != Bad {
		t.Fatalf("latched evidence alone: %s", got)
	}
	fresh := &Share{Collector: "2", Instances: []Instance{{ID: "i", Evidence: Evidence{Requests: 40, Callers: []Caller{
		{Hash: 7, Requests: 20}, {Hash: 8, Requests: 20}}}}}}
	if got := Merge([]*Share{latched, fresh}).Instances["i"].Verdict; got.State != Good {
		t.Fatalf("two other callers are content, yet: %s", got)
	}
}

func TestAnEndedLatchIsProbationUntilEnoughSucceeded(t *testing.T) {
	share := func(e *Evidence) []*Share {
		return []*Share{{Instances: []Instance{{ID: "i", Evidence: *e, Latch: Latch{State: Probation, Episode: 1}}}}}
	}
	for name, c := range map[string]struct {
		seen *Evidence
		want State
	}{
		"no probe yet":    {evidence(), Probation},
		"a good probe":    {evidence([2]uint64{1, 0}), Probation},
		"a failed probe":  {evidence([2]uint64{1, 1}), Bad},
		"ten good probes": {evidence([2]uint64{10, 0}), Good},
	} {
		if got := Merge(share(c.seen)).Instances["i"].Verdict.State; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
