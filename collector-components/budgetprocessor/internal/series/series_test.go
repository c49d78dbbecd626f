// SPDX-License-Identifier: Apache-2.0

package series_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/series"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const megabyte = 1 << 20

// service is a service under test with its clock.
type service struct {
	*series.Service
	t      testing.TB
	memory *series.Memory
	limits series.Limits
	now    time.Duration
}

func newService(t testing.TB, limits series.Limits) *service {
	memory := series.NewMemory(64 * megabyte)
	s := &service{Service: series.NewService(memory, nil), t: t, memory: memory, limits: limits, now: time.Hour}
	t.Cleanup(func() {
		s.Close()
		if used := memory.Used(); used != 0 {
			t.Errorf("%d bytes are still taken after Close", used)
		}
	})
	return s
}

// process runs a batch and holds its accounts to the balance.
func (s *service) process(rm pmetric.ResourceMetrics) series.Outcome {
	s.t.Helper()
	before := points(rm)
	out := s.Process(s.now, s.limits, series.Thinning{}, rm)
	if out.In != before || out.In != out.Kept+out.Folded()+out.Dropped() || out.Kept+out.Emitted != points(rm) {
		s.t.Fatalf("%d points came in, %d go out: the accounts are %+v", before, points(rm), out)
	}
	return out
}

func points(rm pmetric.ResourceMetrics) (n int) {
	md := pmetric.NewMetrics()
	rm.CopyTo(md.ResourceMetrics().AppendEmpty())
	return md.DataPointCount()
}

// batch returns a resource with one metric.
func batch(name string) (pmetric.ResourceMetrics, pmetric.Metric) {
	rm := pmetric.NewMetrics().ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "orders")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	return rm, m
}

// overflow says whether a point is that of the overflow series.
func overflow(m pcommon.Map) bool {
	v, ok := m.Get("otel.metric.overflow")
	return ok && v.Bool() && m.Len() == 1
}

func gauge(name string, from, to int) pmetric.ResourceMetrics {
	rm, m := batch(name)
	g := m.SetEmptyGauge()
	for i := from; i < to; i++ {
		dp := g.DataPoints().AppendEmpty()
		dp.SetIntValue(int64(i))
		dp.SetTimestamp(pcommon.Timestamp(1000 + i))
		dp.Attributes().PutStr("user.id", fmt.Sprint(i))
		dp.Attributes().PutStr("region", fmt.Sprint(i%3))
	}
	return rm
}

func TestWithinTheLimitsNothingChanges(t *testing.T) {
	s := newService(t, series.Limits{Series: 100, SeriesPerMetric: 60, ValuesPerLabel: 60})
	for range 3 {
		rm := gauge("a", 0, 50)
		before := pmetric.NewResourceMetrics()
		rm.CopyTo(before)
		if out := s.process(rm); out.Kept != 50 || out.Folded()+out.Dropped()+out.Emitted != 0 {
			t.Fatalf("%+v", out)
		}
		if n := points(rm); n != 50 {
			t.Fatalf("%d points are left", n)
		}
	}
	if s.Active() != 50 {
		t.Errorf("%d series are active, expected 50", s.Active())
	}
}

func TestBeyondALimitPointsAreFoldedIntoTheOverflowSeries(t *testing.T) {
	for name, test := range map[string]struct {
		limits series.Limits
		count  func(series.Outcome) int
	}{
		"of the service": {series.Limits{Series: 40}, func(o series.Outcome) int { return o.FoldedService }},
		"of the metric":  {series.Limits{Series: 90, SeriesPerMetric: 40}, func(o series.Outcome) int { return o.FoldedMetric }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, test.limits)
			for range 2 { // the second time the same series are its own
				rm := gauge("a", 0, 100)
				out := s.process(rm)
				if out.Kept != 40 || test.count(out) != 60 || out.Emitted != 1 {
					t.Fatalf("%+v", out)
				}
				dps := rm.ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints()
				last := dps.At(dps.Len() - 1)
				if !overflow(last.Attributes()) || last.IntValue() != 99 || last.Timestamp() != 1099 {
					t.Errorf("the overflow series has the attributes %v and the value %d, expected the last", last.Attributes().AsRaw(), last.IntValue())
				}
			}
		})
	}
}

func TestValuesOfALabelBeyondItsLimitBecomeOther(t *testing.T) {
	s := newService(t, series.Limits{ValuesPerLabel: 10})
	rm, m := batch("a")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for i := range 100 {
		dp := sum.DataPoints().AppendEmpty()
		dp.SetIntValue(1)
		dp.Attributes().PutStr("user.id", fmt.Sprint(i))
		dp.Attributes().PutStr("region", fmt.Sprint(i%2))
	}
	out := s.process(rm)
	if out.Kept != 10 || out.FoldedLabel != 90 || out.Emitted != 2 {
		t.Fatalf("%+v", out)
	}
	got := make(map[string]int64)
	for _, dp := range sum.DataPoints().All() {
		if v, _ := dp.Attributes().Get("user.id"); v.Str() == "_other" {
			region, _ := dp.Attributes().Get("region")
			got[region.Str()] = dp.IntValue()
		}
	}
	if got["0"] != 45 || got["1"] != 45 {
		t.Errorf("the others are %v, expected 45 in each region", got)
	}
	if s.Active() != 12 {
		t.Errorf("%d series, expected ten and two of the others", s.Active())
	}
	metrics, labels := s.Offenders(1)
	if metrics[0].Metric != "a" || metrics[0].Active != 12 || labels[0] != (series.Offender{Metric: "a", Label: "user.id", Active: 10, Folded: 90}) {
		t.Errorf("the offenders are %+v and %+v", metrics, labels)
	}
}

func TestASeriesThatIsNotSeenForTheWindowMakesRoom(t *testing.T) {
	s := newService(t, series.Limits{Series: 10, Window: 10 * time.Minute})
	s.process(gauge("a", 0, 10))
	for range 8 { // 40 minutes, in which five of them are seen
		s.now += 5 * time.Minute
		s.process(gauge("a", 0, 5))
	}
	if s.Active() != 5 {
		t.Fatalf("%d series are active, expected the five that are seen", s.Active())
	}
	if out := s.process(gauge("b", 0, 10)); out.Kept != 5 || out.FoldedService != 5 {
		t.Errorf("%+v", out)
	}
	s.now += time.Hour
	s.process(gauge("c", 0, 1))
	s.now += time.Hour
	s.process(gauge("c", 0, 1))
	if metrics, labels := s.Offenders(10); len(metrics) != 1 || len(labels) != 2 {
		t.Errorf("%v and %v are still known", metrics, labels)
	}
}

func TestServicesOfATenantShareItsSeries(t *testing.T) {
	memory := series.NewMemory(megabyte)
	var tenant series.Tenant
	tenant.Limit.Store(15)
	a, b := series.NewService(memory, &tenant), series.NewService(memory, &tenant)
	if out := a.Process(0, series.Limits{}, series.Thinning{}, gauge("a", 0, 10)); out.Kept != 10 {
		t.Fatalf("%+v", out)
	}
	if out := b.Process(0, series.Limits{}, series.Thinning{}, gauge("a", 0, 10)); out.Kept != 5 || out.FoldedTenant != 5 {
		t.Fatalf("%+v", out)
	}
	a.Close()
	if out := b.Process(0, series.Limits{}, series.Thinning{}, gauge("a", 0, 10)); out.Kept != 10 || tenant.Active() != 10 {
		t.Fatalf("%+v with %d series", out, tenant.Active())
	}
	b.Close()
}

func TestMemoryIsBounded(t *testing.T) {
	memory := series.NewMemory(64 << 10)
	s := series.NewService(memory, nil)
	total := series.Outcome{}
	for i := range 100 {
		out := s.Process(0, series.Limits{}, series.Thinning{}, gauge("a", 1000*i, 1000*(i+1)))
		total.Kept += out.Kept
		total.FoldedMemory += out.FoldedMemory
		total.DroppedFoldedFull += out.DroppedFoldedFull
	}
	t.Logf("%d of 100000 series are kept in %d of %d bytes; the service says %d", s.Active(), memory.Used(), memory.Limit(), s.Bytes())
	if memory.Used() > memory.Limit() || int64(s.Bytes()) != memory.Used() {
		t.Errorf("%d bytes are taken of %d; the service says %d", memory.Used(), memory.Limit(), s.Bytes())
	}
	if total.Kept+total.FoldedMemory+total.DroppedFoldedFull != 100_000 || total.Kept == 0 {
		t.Errorf("%+v", total)
	}
	s.Close()
	if memory.Used() != 0 {
		t.Errorf("%d bytes are left", memory.Used())
	}
}

func TestCountsAreThoseOfAnExactSet(t *testing.T) {
	s := newService(t, series.Limits{Window: 10 * time.Minute})
	random := rand.New(rand.NewPCG(1, 2))
	seen := make(map[int]time.Duration) // when it was seen
	start := s.now
	for range 200 {
		from := random.IntN(5000)
		n := random.IntN(400)
		s.process(gauge("a", from, from+n))
		for i := from; i < from+n; i++ {
			seen[i] = s.now
		}
		s.now += time.Duration(random.IntN(120)) * time.Second
		s.process(gauge("b", 0, 1)) // lets time pass
		want := 0
		for _, at := range seen {
			if half := 5 * time.Minute; at/half+1 >= s.now/half {
				want++
			}
		}
		if got := s.Active() - 1; got != want {
			t.Fatalf("%d series are active, expected %d, %v after the start", got, want, s.now-start)
		}
	}
}

func TestKnownSeriesCostNoAllocation(t *testing.T) {
	s := newService(t, series.Limits{Series: 1000})
	rm := gauge("a", 0, 500)
	s.process(rm)
	if n := testing.AllocsPerRun(100, func() { s.Process(s.now, s.limits, series.Thinning{}, rm) }); n != 0 {
		t.Errorf("%v allocations for 500 points of known series", n)
	}
}

func BenchmarkProcess(b *testing.B) {
	for _, n := range []int{4, 10} {
		for _, size := range []int{1000, 100_000} {
			b.Run(fmt.Sprintf("attributes=%d/series=%d", n, size), func(b *testing.B) {
				s := newService(b, series.Limits{Series: 1 << 20})
				rm, m := batch("http.server.request.duration")
				g := m.SetEmptyGauge()
				for i, a := range attributes(size, n) {
					dp := g.DataPoints().AppendEmpty()
					a.MoveTo(dp.Attributes())
					dp.Attributes().PutStr("http.route", fmt.Sprint("/orders/", i))
				}
				s.process(rm)
				b.ReportAllocs()
				for b.Loop() {
					s.Process(s.now, s.limits, series.Thinning{}, rm)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/datapoint")
				b.ReportMetric(float64(s.Bytes())/float64(size), "B/series")
			})
		}
	}
}
