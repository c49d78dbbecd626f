// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	orcapb "github.com/cncf/xds/go/xds/data/orca/v3"
	"google.golang.org/protobuf/proto"
)

var full = Report{
	InFlight: 7, AtArrival: 5, Latency: 12345678 * time.Nanosecond, CPUUtilization: 0.41, RPS: 120, EPS: 0.25,
	Demand: 3100 * time.Microsecond, Parallelism: 3.875,
}

const fullText = "TEXT cpu_utilization=0.41,rps_fractional=120,eps=0.25,named_metrics.in_flight=7,named_metrics.at_arrival=5," +
	"named_metrics.latency_seconds=0.012345678,named_metrics.demand_seconds=0.0031,named_metrics.parallelism=3.875"

func TestAReportInTextForm(t *testing.T) {
	for name, c := range map[string]struct {
		report Report
		text   string
	}{
		"of all that there is":    {full, fullText},
		"of an idle server":       {Report{AtArrival: -1}, "TEXT named_metrics.in_flight=0"},
		"of the first request":    {Report{}, "TEXT named_metrics.in_flight=0,named_metrics.at_arrival=0"},
		"of nothing that is told": {nothing, "TEXT "},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(c.report.AppendText(nil)); got != c.text {
				t.Errorf("wrote %q, want %q", got, c.text)
			}
			if got, err := ParseText(c.text); err != nil || got != c.report {
				t.Errorf("read %+v, %v; want %+v", got, err, c.report)
			}
		})
	}
}

func TestOtherServersReportsAreRead(t *testing.T) {
	for text, want := range map[string]Report{
		// Triton's documentation: spaces, a field and a metric that mean nothing here.
		"TEXT cpu_utilization=0.3, mem_utilization=0.8, rps_fractional=10.0, eps=1, named_metrics.custom_metric_util=0.4": {
			InFlight: -1, AtArrival: -1, CPUUtilization: 0.3, RPS: 10, EPS: 1},
		"TEXT named_metrics.kv_cache_utilization=0.4":           nothing, // vLLM
		"TEXT cpu_utilization:0.7":                              {InFlight: -1, AtArrival: -1, CPUUtilization: 0.7},
		"TEXT cpu_utilization=7e-1,named_metrics.in_flight=3.0": {InFlight: 3, AtArrival: -1, CPUUtilization: 0.7},
		"TEXT rps_fractional=0.30000000000000004":               {InFlight: -1, AtArrival: -1, RPS: 0.30000000000000004},
		"TEXT in_flight=9":                                      nothing, // a metric is named
		"TEXT future_field=a word":                              nothing,
	} {
		if got, err := ParseText(text); err != nil || got != want {
			t.Errorf("%s: read %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestWhatIsNoReportIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"another format":       `JSON {"cpu_utilization": 0.3}`,
		"nothing":              "",
		"a page":               "<!doctype html>",
		"no value":             "TEXT eps=",
		"no name":              "TEXT =1",
		"no entry":             "TEXT eps=1,,rps_fractional=2",
		"a field twice":        "TEXT eps=1,eps=1",
		"a word for a number":  "TEXT eps=many",
		"two points":           "TEXT eps=1.2.3",
		"a point":              "TEXT eps=.",
		"a hexadecimal number": "TEXT eps=0x1p-2",
		"more than 512 bytes":  "TEXT x=" + strings.Repeat("1", 506),
		"beyond all floats":    "TEXT eps=1e999",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseText(text)
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Errorf("%q: %v, want a SyntaxError", text, err)
			}
		})
	}
}

func TestAReportOutOfBoundsIsRefusedInEitherForm(t *testing.T) {
	for f := range unknown {
		for _, v := range []string{"-1", "NaN", "Inf", "1e300"} {
			name := names[f]
			if f >= inFlight {
				name = namedPrefix + name
			}
			_, err := ParseText("TEXT " + name + "=" + v)
			value, ok := errors.AsType[*ValueError](err)
			if !ok || value.Field != names[f] || value.Limit != limits[f] {
				t.Errorf("%s of %s: %v, want a ValueError that names field and limit", name, v, err)
			}
		}
		for _, v := range []float64{-1, math.NaN(), math.Inf(1), limits[f] * 1.01} {
			p := &orcapb.OrcaLoadReport{NamedMetrics: map[string]float64{}}
			switch f {
			case cpuUtilization:
				p.CpuUtilization = v
			case rpsFractional:
				p.RpsFractional = v
			case eps:
				p.Eps = v
			default:
				p.NamedMetrics[names[f]] = v
			}
			if _, ok := errors.AsType[*ValueError](func() error { _, err := FromProto(p); return err }()); !ok {
				t.Errorf("%s of %g passes in the binary form", names[f], v)
			}
		}
	}
}

// absurd is what no server should say.
var absurd = []Report{
	{InFlight: math.MaxInt, AtArrival: math.MaxInt, Latency: math.MaxInt64, CPUUtilization: math.MaxFloat64, RPS: math.Inf(1),
		EPS: math.MaxFloat64, Demand: math.MaxInt64, Parallelism: math.Inf(1)},
	{InFlight: math.MinInt, AtArrival: math.MinInt, Latency: math.MinInt64, CPUUtilization: math.NaN(), RPS: math.Inf(-1),
		EPS: math.NaN(), Demand: math.MinInt64, Parallelism: math.NaN()},
	{InFlight: MaxInFlight, AtArrival: MaxInFlight, Latency: MaxLatency - 1, CPUUtilization: MaxCPUUtilization - 0.0001, RPS: MaxRate - 0.001,
		EPS: MaxRate - 0.001, Demand: MaxLatency - 1, Parallelism: MaxParallelism - 0.001},
}

func TestWhatIsSentIsWithinTheBounds(t *testing.T) {
	for _, r := range absurd {
		b := r.AppendText(nil)
		if len(b) > MaxText {
			t.Errorf("%d bytes", len(b))
		}
		if _, err := ParseText(string(b)); err != nil {
			t.Errorf("%s: %v", b, err)
		}
		if _, err := FromProto(r.Proto()); err != nil {
			t.Errorf("%v: %v", r.Proto(), err)
		}
	}
}

func TestAReportInBinaryForm(t *testing.T) {
	for _, r := range []Report{full, {AtArrival: -1}, {}, nothing} {
		if got, err := FromProto(r.Proto()); err != nil || got != r {
			t.Errorf("read %+v, %v; want %+v", got, err, r)
		}
	}
	for _, r := range append(absurd, full, nothing) {
		p := new(orcapb.OrcaLoadReport)
		if err := proto.Unmarshal(r.AppendProto(nil), p); err != nil || !proto.Equal(p, r.Proto()) {
			t.Errorf("appended %v, %v; want %v", p, err, r.Proto())
		}
	}
	if got, err := FromProto(nil); err != nil || got != nothing {
		t.Errorf("no message: %+v, %v", got, err)
	}
	p := full.Proto()
	if p.CpuUtilization != 0.41 || p.RpsFractional != 120 || p.Eps != 0.25 || len(p.NamedMetrics) != 5 || p.NamedMetrics["latency_seconds"] != 0.012345678 {
		t.Errorf("%v", p)
	}
}

func TestWhatIsAppendedAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, MaxText)
	if n := testing.AllocsPerRun(100, func() {
		_ = full.AppendText(buf)
		_ = full.AppendProto(buf)
		if _, err := ParseText(fullText); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func FuzzParseText(f *testing.F) {
	f.Add(fullText)
	f.Add("TEXT cpu_utilization=0.3, mem_utilization=0.8, named_metrics.x:1e5")
	for _, r := range absurd {
		f.Add(string(r.AppendText(nil)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseText(text)
		if err != nil {
			if r != nothing {
				t.Fatalf("a report and an error: %+v, %v", r, err)
			}
			return
		}
		written := r.AppendText(nil)
		again, err := ParseText(string(written))
		if err != nil || len(written) > MaxText {
			t.Fatalf("%q becomes %q, which cannot be read: %v", text, written, err)
		}
		if rewritten := again.AppendText(nil); string(rewritten) != string(written) {
			t.Fatalf("%q becomes %q", written, rewritten)
		}
		if fromProto, err := FromProto(r.Proto()); err != nil || fromProto != r {
			t.Fatalf("%+v becomes %+v in binary: %v", r, fromProto, err)
		}
	})
}

func BenchmarkReport(b *testing.B) {
	b.Run("append text", func(b *testing.B) {
		buf := make([]byte, 0, MaxText)
		b.ReportAllocs()
		for b.Loop() {
			buf = full.AppendText(buf[:0])
		}
	})
	b.Run("append binary", func(b *testing.B) {
		buf := make([]byte, 0, MaxText)
		b.ReportAllocs()
		for b.Loop() {
			buf = full.AppendProto(buf[:0])
		}
	})
	b.Run("parse text", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseText(fullText); err != nil {
				b.Fatal(err)
			}
		}
	})
}
