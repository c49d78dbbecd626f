// SPDX-License-Identifier: Apache-2.0

package tracestate_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/internal/tracestate"
)

func TestParse(t *testing.T) {
	const c = 0xc0000000000000
	for ts, want := range map[string]struct {
		th    uint64
		hasTh bool
		rv    uint64
		hasRv bool
	}{
		"":                                {},
		"ot=th:c":                         {th: c, hasTh: true},
		"ot=th:0":                         {hasTh: true},
		"ot=th:c00":                       {th: c, hasTh: true},
		"ot=th:00000000000001":            {th: 1, hasTh: true},
		"ot=th:000000000000010":           {},
		"ot=th:":                          {},
		"ot=th":                           {},
		"ot=th:C":                         {},
		"ot=th:xyz;rv:6e6d1a75832a2f":     {rv: 0x6e6d1a75832a2f, hasRv: true},
		"ot=rv:6e6d1a75832a2":             {},
		"ot=rv:6e6d1a75832a2f;th:c":       {th: c, hasTh: true, rv: 0x6e6d1a75832a2f, hasRv: true},
		"vendor=1, ot=th:c ,other=th:8":   {th: c, hasTh: true},
		"not=th:8,ot=p:8;r:62":            {},
		"rojo=00f067aa0ba902b7,ot=foo:th": {},
		"ot=th:c,ot=th:8":                 {th: c, hasTh: true},
		"t61rcWkgMzE@ot=th:c":             {},
	} {
		th, hasTh, rv, hasRv := tracestate.Parse(ts)
		if hasTh != want.hasTh || hasRv != want.hasRv || (hasTh && th != want.th) || (hasRv && rv != want.rv) {
			t.Errorf("%q: th %x %t, rv %x %t; expected %+v", ts, th, hasTh, rv, hasRv, want)
		}
	}
}

func TestWithThresholdChangesNothingElse(t *testing.T) {
	for _, test := range []struct{ ts, want string }{
		{"", "ot=th:c"},
		{"ot=th:c", "ot=th:c"},
		{"a=1,ot=th:c", "a=1,ot=th:c"}, // says so already
		{"ot=th:8", "ot=th:c"},
		{"a=1, ot=th:8;k1:13;rv:6e6d1a75832a2f ,b=2", "ot=th:c;rv:6e6d1a75832a2f;k1:13,a=1,b=2"},
		{"a=1,,b=2", "ot=th:c,a=1,b=2"},
		{"ot=" + strings.Repeat("x", 250) + ";rv:6e6d1a75832a2f", "ot=th:c;rv:6e6d1a75832a2f"},
	} {
		if got := tracestate.WithThreshold(test.ts, 0xc0000000000000); got != test.want {
			t.Errorf("%q became %q, expected %q", test.ts, got, test.want)
		}
	}
	full := strings.Repeat("a=1,", 31) + "last=1"
	if got := tracestate.WithThreshold(full, 1<<55); strings.Count(got, ",") != 31 || strings.Contains(got, "last") {
		t.Errorf("%q has more than 32 entries or lost others than the last", got)
	}
	if got := tracestate.WithThreshold("a=1", tracestate.Never); got != "a=1" {
		t.Errorf("a threshold that cannot be written became %q", got)
	}
}

func TestThresholdKeepsItsRatio(t *testing.T) {
	for _, p := range []float64{1, 0.9, 0.5, 0.25, 0.1, 1e-2, 1e-4, 1e-9} {
		th := tracestate.Threshold(p)
		if got := tracestate.Probability(th); math.Abs(got-p) > 1e-4*p {
			t.Errorf("threshold %014x keeps %g, expected %g", th, got, p)
		}
		if text := tracestate.WithThreshold("", th); len(text) > len("ot=th:")+12 {
			t.Errorf("%g is written as %q", p, text)
		}
	}
	if tracestate.Threshold(2) != 0 || tracestate.Threshold(0) != tracestate.Never ||
		tracestate.Threshold(math.NaN()) != tracestate.Never || tracestate.Probability(tracestate.Never) != 0 {
		t.Error("1 and above keeps all, 0 and below nothing")
	}
	if th := tracestate.Threshold(1e-300); th != tracestate.Never-1 {
		t.Errorf("the least ratio is %x", th)
	}
}

func TestSamplingTwiceIsSamplingOnceAndAStricterThresholdIsHonoured(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	quarter, half := tracestate.Threshold(0.25), tracestate.Threshold(0.5)
	kept, total := 0, 100_000
	for range total {
		var id [16]byte
		for i := range id {
			id[i] = byte(random.Uint32())
		}
		first := tracestate.Decide("", id, quarter)
		if !first.Keep {
			continue
		}
		kept++
		ts := tracestate.WithThreshold("", quarter)
		for _, ours := range []uint64{quarter, half, 0} {
			again := tracestate.Decide(ts, id, ours)
			if !again.Keep || again.Changed || again.Probability != 0.25 {
				t.Fatalf("the second sampler said %+v", again)
			}
		}
		if then := tracestate.Decide(ts, id, tracestate.Never); then.Keep {
			t.Fatal("Never kept a span")
		}
	}
	if ratio := float64(kept) / float64(total); math.Abs(ratio-0.25) > 0.01 {
		t.Errorf("%g of the traces were kept, expected a quarter", ratio)
	}
	explicit := tracestate.Decide("ot=rv:ffffffffffffff", [16]byte{}, half)
	if !explicit.Keep || !explicit.Changed {
		t.Errorf("an explicit randomness decides before the trace id; got %+v", explicit)
	}
}

func TestAThresholdThatTheRandomnessDoesNotReachIsNotBelievedAndNotLowered(t *testing.T) {
	low, high := [16]byte{9: 0x10}, [16]byte{9: 0xf0}
	for name, test := range map[string]struct {
		id   [16]byte
		want tracestate.Decision
	}{
		"dropped by ours": {low, tracestate.Decision{Probability: 1}},
		"kept by ours":    {high, tracestate.Decision{Keep: true, Probability: 1}},
	} {
		if got := tracestate.Decide("ot=th:ffff", test.id, 1<<55); got != test.want {
			t.Errorf("%s: %+v, expected %+v", name, got, test.want)
		}
	}
	if got := tracestate.Decide("ot=th:4", low, 1<<52); got != (tracestate.Decision{Keep: true, Probability: 1}) {
		t.Errorf("%+v for a threshold below which the trace lies", got)
	}
}

func TestNothingIsAllocatedForADecision(t *testing.T) {
	id := [16]byte{8: 0xff, 9: 0xff}
	if n := testing.AllocsPerRun(100, func() {
		tracestate.Decide("a=1,ot=th:8;rv:6e6d1a75832a2f", id, 1<<55)
		tracestate.WithThreshold("a=1,ot=th:8", 1<<55)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzWithThreshold(f *testing.F) {
	for _, ts := range []string{"", "ot=th:c", "a=1,ot=rv:6e6d1a75832a2f;x:y,b=2", "ot=,,;:=", " ot=th:0 ,\tot=th:1"} {
		f.Add(ts, uint64(1)<<55)
	}
	f.Fuzz(func(t *testing.T, ts string, th uint64) {
		th %= tracestate.Never
		_, _, rv, hasRv := tracestate.Parse(ts)
		out := tracestate.WithThreshold(ts, th)
		got, ok, rv2, hasRv2 := tracestate.Parse(out)
		if !ok || got != th {
			t.Errorf("%q with %x is %q, which says %x %t", ts, th, out, got, ok)
		}
		if hasRv != hasRv2 || rv != rv2 {
			t.Errorf("the randomness of %q changed in %q", ts, out)
		}
		if again := tracestate.WithThreshold(out, th); again != out {
			t.Errorf("writing twice changed %q into %q", out, again)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	for name, ts := range map[string]string{"empty": "", "th": "ot=th:8", "others": "rojo=00f067aa0ba902b7,ot=th:8;rv:6e6d1a75832a2f"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			id := [16]byte{8: 0xff, 9: 0xff}
			for b.Loop() {
				tracestate.Decide(ts, id, 0xc0000000000000)
			}
		})
	}
}
