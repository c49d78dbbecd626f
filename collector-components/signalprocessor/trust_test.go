// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// healthy lets so many callers find an instance well.
func (r *rig) healthy(instance string, callers int) {
	r.t.Helper()
	for i := range callers {
		r.send(fmt.Sprint("service:honest-", i), measurements(instance, semconv.OutcomeOK, 20))
	}
}

// sound fails unless an instance is good, with about the weight and latency that honest
// callers gave it, and everything written is finite.
func (r *rig) sound(instance string, when string) {
	r.t.Helper()
	s := r.fleet("orders").Instances[instance]
	if s == nil {
		r.t.Fatalf("%s: the instance is not known", when)
	}
	if s.Verdict.State != signal.Good || s.Verdict.Weight < 0.8 {
		r.t.Errorf("%s: %v, weight %.2f; want good, at least 0.8", when, s.Verdict, s.Verdict.Weight)
	}
	if latency := s.Latency(); latency < 9*time.Millisecond || latency > 11*time.Millisecond {
		r.t.Errorf("%s: a latency of %v, want 10ms", when, latency)
	}
	for _, w := range s.Windows {
		if w.Busy > 1e6 || w.Requests > 1e6 {
			r.t.Errorf("%s: %d requests, busy for %g s", when, w.Requests, w.Busy)
		}
	}
}

func TestOneHostilePrincipalMovesNothing(t *testing.T) {
	for name, attack := range map[string]func(r *rig){
		"that says all its requests failed": func(r *rig) {
			for range 50 {
				r.send("service:mallory", measurements("o1", semconv.OutcomeError, 1000))
			}
		},
		"that says its routers ejected the instance": func(r *rig) {
			md := measurements("o1", semconv.OutcomeError, 10)
			m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
			m.SetName(semconv.RouteEjections)
			s := m.SetEmptySum()
			s.SetAggregationTemporality(delta)
			dp := s.DataPoints().AppendEmpty()
			dp.SetIntValue(1 << 62)
			dp.Attributes().PutStr(semconv.RouteService, "orders")
			dp.Attributes().PutStr(semconv.RouteInstance, "o1")
			r.send("service:mallory", md)
		},
		"whose resources name other callers": func(r *rig) {
			for i := range 20 {
				md := measurements("o1", semconv.OutcomeError, 100)
				a := md.ResourceMetrics().At(0).Resource().Attributes()
				a.PutStr("service.name", fmt.Sprint("honest-", i))
				a.PutStr("principal", fmt.Sprint("service:honest-", i))
				r.send("service:mallory", md)
			}
		},
		"with many processes": func(r *rig) {
			for i := range 20 {
				md := measurements("o1", semconv.OutcomeError, 100)
				md.ResourceMetrics().At(0).Resource().Attributes().PutStr("service.instance.id", fmt.Sprint(i))
				r.send("service:mallory", md)
			}
		},
		"by standard metrics": func(r *rig) {
			for range 20 {
				r.send("service:mallory", metricOf("x", "http.client.request.duration", "s",
					explicit(delta, -1, 0, 1000, 1, toOrders.and("http.response.status_code", 500))))
			}
		},
		"by spans that claim to stand for many": func(r *rig) {
			for range 20 {
				r.sendSpans("service:mallory", span(time.Millisecond, toOrders.and("http.response.status_code", 500),
					func(s ptrace.Span) { s.TraceState().FromRaw("ot=th:fff") }))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.healthy("o1", 9)
			attack(r)
			r.sound("o1", "afterwards")
			if n := r.fleet("orders").Instances["o1"].Verdict.Callers; n != 10 {
				t.Errorf("%d callers, want nine and the liar", n)
			}
		})
	}
}

func TestAMillionWordsOfNobodyCount(t *testing.T) {
	r := newRig(t, nil)
	r.healthy("o1", 3)
	r.send("", measurements("o1", semconv.OutcomeError, 1000))
	r.send("", metricOf("x", "http.client.request.duration", "s", explicit(delta, -1, 0, 1000, 1, toOrders)))
	r.send("", metricOf("orders", "http.server.request.duration", "s", explicit(delta, -1, 0, 1000, 1, toOrders)))
	r.sendSpans("", span(time.Millisecond, toOrders))
	for _, source := range []string{"router", "metrics", "server", "spans"} {
		r.want(source, "unauthenticated", 1)
	}
	r.sound("o1", "afterwards")
}

func TestAThousandInstancesThatDoNotExist(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxInstances = 1000 })
	r.healthy("o1", 3)
	fakes := func(principal, service string) {
		for i := range 1000 {
			md := measurements(fmt.Sprint("fake-", i), semconv.OutcomeOK, 10)
			md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).ExponentialHistogram().DataPoints().At(0).
				Attributes().PutStr(semconv.RouteService, service)
			r.send(principal, md)
		}
	}
	fakes("service:mallory", "orders")
	if n := len(r.fleet("orders").Instances); n != 1+64 {
		t.Errorf("%d instances of a service that announces its own, want them and a share's worth", n)
	}
	r.want("router", "unannounced", 1000-64)
	fakes("service:mallory", "nowhere")
	if n := len(r.fleet("nowhere").Instances); n != 256-64 {
		t.Errorf("%d instances of a service that nobody announces, want what is left of one principal's 256", n)
	}
	for i := range 10 { // all of them together
		fakes(fmt.Sprint("service:mallory-", i), fmt.Sprint("nowhere-", i))
	}
	if n := r.engine.aggregate.Instances(); n > 500+1 {
		t.Errorf("%d instances: what is not announced may fill one half of 1000", n)
	}
	r.healthy("o2", 3) // who is announced has room
	r.sound("o1", "afterwards")
	r.sound("o2", "afterwards")
}

func TestForgedLabelsOfAnAnnouncedInstance(t *testing.T) {
	r := newRig(t, nil)
	r.healthy("o1", 3)
	forge := func(name, value string) {
		md := measurements("o1", semconv.OutcomeOK, 20)
		md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).ExponentialHistogram().DataPoints().At(0).Attributes().PutStr(name, value)
		r.send("service:mallory", md)
	}
	forge(semconv.RouteVariant, "canary")
	forge(semconv.RouteZone, "moon")
	if s := r.fleet("orders").Instances["o1"]; s.Variant != "blue" || s.Zone != "z1" {
		t.Errorf("variant %q, zone %q: discovery says blue and z1", s.Variant, s.Zone)
	}
	forge(semconv.RouteZone, strings.Repeat("x", 65))
	r.want("router", "name", 1)
}

// Numbers that no measurement gives, in the routers' histogram.
func TestAbsurdNumbers(t *testing.T) {
	type dataPoint = pmetric.ExponentialHistogramDataPoint
	for name, spoil := range map[string]func(dataPoint){
		"not a number":             func(dp dataPoint) { dp.SetSum(math.NaN()) },
		"infinity":                 func(dp dataPoint) { dp.SetSum(math.Inf(1)) },
		"less than nothing":        func(dp dataPoint) { dp.SetSum(-1) },
		"longer than the universe": func(dp dataPoint) { dp.SetSum(1e300) },
		"2^63 requests":            func(dp dataPoint) { dp.SetCount(1 << 63); dp.Positive().BucketCounts().FromRaw([]uint64{1 << 63}) },
		"all there are":            func(dp dataPoint) { dp.SetCount(math.MaxUint64) },
		"buckets that add up to nothing": func(dp dataPoint) {
			dp.SetCount(4)
			dp.Positive().BucketCounts().FromRaw([]uint64{1 << 63, 1 << 63, 4})
		},
		"more than the buckets hold":        func(dp dataPoint) { dp.SetCount(30) },
		"a mean beyond the greatest bucket": func(dp dataPoint) { dp.SetSum(20 * 3000) },
		"a mean below the least bucket":     func(dp dataPoint) { dp.SetSum(0.00001) },
		"a scale of no SDK":                 func(dp dataPoint) { dp.SetScale(math.MaxInt32) },
		"the least scale":                   func(dp dataPoint) { dp.SetScale(math.MinInt32) },
		"an offset that overflows":          func(dp dataPoint) { dp.Positive().SetOffset(math.MaxInt32) },
		"negative latencies":                func(dp dataPoint) { dp.Negative().BucketCounts().FromRaw([]uint64{1}) },
		"a zero count that makes the sum wrap": func(dp dataPoint) {
			dp.Positive().BucketCounts().FromRaw([]uint64{2 * dp.Count()})
			dp.SetZeroCount(-dp.Count())
		},
		"a million buckets":                     func(dp dataPoint) { dp.Positive().BucketCounts().FromRaw(make([]uint64, 1_000_000)) },
		"an outcome that is none":               func(dp dataPoint) { dp.Attributes().PutStr(semconv.RouteOutcome, "excellent") },
		"a service that would be another's key": func(dp dataPoint) { dp.Attributes().PutStr(semconv.RouteService, "../orders") },
		"an instance of a megabyte":             func(dp dataPoint) { dp.Attributes().PutStr(semconv.RouteInstance, strings.Repeat("x", 1<<20)) },
		"a number in place of a name":           func(dp dataPoint) { dp.Attributes().PutInt(semconv.RouteInstance, 7) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.healthy("o1", 3)
			md := measurements("o1", semconv.OutcomeOK, 20)
			spoil(md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).ExponentialHistogram().DataPoints().At(0))
			r.send("service:mallory", md)
			r.want("router", "taken", 3)
			r.sound("o1", "afterwards")
			if n := r.fleet("orders").Instances["o1"].Verdict.Callers; n != 3 {
				t.Errorf("%d callers", n)
			}
		})
	}
}

func TestAbsurdStandardMetricsAndReports(t *testing.T) {
	r := newRig(t, nil)
	r.healthy("o1", 3)
	for i, sum := range []float64{math.NaN(), math.Inf(1), -1, 1e300} {
		r.send("service:mallory", metricOf("x", "http.client.request.duration", "s", explicit(delta, -1, 0, 10, sum, toOrders)))
		r.send("service:mallory", metricOf("x", "http.client.request.duration", "s", explicit(cumulative, -100, -50+i, 10, sum, toOrders)))
		r.send("service:orders", metricOf("orders", "process.cpu.time", "s", counter(delta, -1, 0, map[string]float64{"user": sum})))
		r.send("service:orders", metricOf("orders", "http.server.request.duration", "s", explicit(delta, -1, 0, 10, sum, toOrders)))
	}
	r.send("service:mallory", metricOf("x", "http.client.request.duration", "s", explicit(delta, -1, 0, 1<<63, 1, toOrders)))
	r.send("service:mallory", metricOf("x", "http.client.request.duration", "days", explicit(delta, -1, 0, 1, 1, toOrders)))
	r.want("metrics", "form", 1)
	r.want("metrics", "taken", 0)
	r.want("server", "taken", 0)
	r.sound("o1", "afterwards")
	if s := r.fleet("orders").Instances["o1"]; s.ServiceDemand != 0 || s.Parallelism != 0 {
		t.Errorf("a demand of %v and a parallelism of %g", s.ServiceDemand, s.Parallelism)
	}
}

func TestAServersLiesAboutItselfStayWithinItsAllocation(t *testing.T) {
	r := newRig(t, nil)
	for i := range 30 {
		md := metricOf("orders", "http.server.request.duration", "s", explicit(delta, i-40, i-39, 1_000_000, 0, attributes{}))
		addMetric(md, "", "process.cpu.time", "s", counter(delta, i-40, i-39, map[string]float64{"user": 0.000001}))
		addMetric(md, "", "go.processor.limit", "{thread}", func(m pmetric.Metric) { m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1 << 40) })
		r.send("service:orders", md)
	}
	if s := r.fleet("orders").Instances["o1"]; s.Parallelism > 3 {
		t.Errorf("a parallelism of %g on an allocation that is refused", s.Parallelism)
	}
	if n := len(r.fleet("inventory").Instances); n != 0 {
		t.Error("it told of another service")
	}
}

func TestClocksThatAreGarbage(t *testing.T) {
	at := func(d time.Duration) pcommon.Timestamp { return pcommon.NewTimestampFromTime(time.Now().Add(d)) }
	for name, times := range map[string][2]pcommon.Timestamp{
		"an end before the start":   {at(0), at(-time.Second)},
		"no start":                  {0, at(0)},
		"no end":                    {at(0), 0},
		"an end in the far future":  {at(0), at(1000 * time.Hour)},
		"a year of another century": {at(-300_000 * time.Hour), at(-300_000*time.Hour + time.Second)},
		"an hour and more":          {at(-61 * time.Minute), at(0)},
		"the greatest number":       {1, math.MaxUint64},
		"what waited in a queue":    {at(-7 * time.Minute), at(-6 * time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.healthy("o1", 3)
			r.sendSpans("service:a", span(0, toOrders, func(s ptrace.Span) {
				s.SetStartTimestamp(times[0])
				s.SetEndTimestamp(times[1])
			}))
			r.want("spans", "clock", 1)
			r.sound("o1", "afterwards")
		})
	}
	t.Run("in metrics", func(t *testing.T) {
		r := newRig(t, nil)
		for _, times := range [][2]int{{0, -10}, {-5000, 0}, {0, 100_000}, {-100_001, -100_000}} {
			r.send("service:a", metricOf("x", "http.client.request.duration", "s", explicit(delta, times[0], times[1], 10, 1, toOrders)))
			r.send("service:orders", metricOf("orders", "process.cpu.time", "s", counter(delta, times[0], times[1], map[string]float64{"user": 1})))
		}
		r.want("metrics", "clock", 4)
		r.want("server", "clock", 4)
	})
}

func TestTracesThatClaimToStandForTheWorld(t *testing.T) {
	for state, want := range map[string]uint64{
		"": 1, "ot=th:0": 1, "ot=th:8": 2, "a=b, ot=th:c": 4, "ot=rv:abc;th:f": 16, "ot=th:fff": 4096, "x=ot=th:c": 1, "ot=p:8": 1,
		"ot=th:ffffffffffffff": 0, "ot=th:fffff": 0, "ot=th:ffff": 1 << 16,
		"ot=th:": 1, "ot=th:XYZ": 1, "ot=th:-1": 1, "ot=th:123456789012345": 1, // which cannot be read
		"ot=rv:10000000000000;th:f": 1, "ot=th:f;rv:efffffffffffff": 1, "ot=rv:f0000000000000;th:f": 16, // its randomness
	} {
		if n, ok := adjusted(state, kept, pcommon.SpanID{}); n != want && ok || ok != (want > 0) {
			t.Errorf("%q stands for %d, %v; want %d", state, n, ok, want)
		}
	}
	if n, ok := adjusted("ot=th:f", pcommon.TraceID{8: 0xff, 9: 0xef}, pcommon.SpanID{}); n != 1 || !ok {
		t.Errorf("a span that its threshold would have dropped stands for %d, want itself", n)
	}
	sum := uint64(0)
	for i := range 10_000 { // two out of three sampled, by ids that are spread evenly
		id := pcommon.SpanID{}
		binary.BigEndian.PutUint64(id[:], uint64(i)*(math.MaxUint64/10_000))
		n, _ := adjusted("ot=th:55555555555555", kept, id)
		sum += n
	}
	if sum < 14_500 || sum > 15_500 {
		t.Errorf("10,000 spans of two in three stand for %d, want about 15,000", sum)
	}
}

func TestSeriesOfOneSenderLeaveRoomForOthers(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeries = 40 })
	for i := range 100 {
		r.send("service:mallory", metricOf("x", "http.client.request.duration", "s", explicit(cumulative, -100, 0, 10, 1, toOrders.and("x", fmt.Sprint(i)))))
	}
	r.want("metrics", "full", 90)
	r.send("service:a", metricOf("x", "http.client.request.duration", "s", explicit(cumulative, -100, 0, 10, 1, toOrders)))
	r.want("metrics", "baseline", 11)
}

func TestOneStateBehindSeveralPipelines(t *testing.T) {
	r := newRig(t, nil)
	other, err := newProcessor(r.set, r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if other.engine != r.engine {
		t.Error("two instances with one configuration have one state")
	}
	if err := other.shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	r.healthy("o1", 3)
	r.sound("o1", "after the other is gone")
}
