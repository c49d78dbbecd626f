// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat/metrics"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// produced returns what a set produces, by name.
func produced(t testing.TB, set *metrics.Set) map[string]metricdata.Metrics {
	t.Helper()
	scopes, err := set.Produce(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]metricdata.Metrics)
	for _, s := range scopes {
		for _, m := range s.Metrics {
			all[m.Name] = m
		}
	}
	return all
}

func counterOf(t testing.TB, set *metrics.Set, name string, opts ...metrics.Option) *metrics.Counter {
	t.Helper()
	c, err := set.Counter(name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatIsCountedIsProduced(t *testing.T) {
	set := metrics.NewSet(metrics.WithScope("shop"))
	book := metrics.With(attribute.String("item", "book"))
	c := counterOf(t, set, "shop.orders.placed", metrics.WithUnit("{order}"), metrics.WithDescription("Orders"), book)
	if again := counterOf(t, set, "shop.orders.placed", metrics.WithUnit("{order}"), book); again != c {
		t.Error("the same name and attributes are another counter")
	}
	c.Inc()
	c.Add(41)
	counterOf(t, set, "shop.orders.placed", metrics.WithUnit("{order}")).Inc()
	g := metrics.Must(set.Gauge("shop.carts.open"))
	g.Set(3)
	g.Inc()
	g.Add(-1.5)
	g.Dec()
	h := metrics.Must(set.Histogram("shop.order.value", metrics.WithUnit("EUR")))
	for _, v := range []float64{0, 1, 10, 100, -5, math.NaN()} {
		h.Record(v)
	}
	all := produced(t, set)
	orders := all["shop.orders.placed"]
	sum := orders.Data.(metricdata.Sum[int64])
	if orders.Unit != "{order}" || orders.Description != "Orders" || !sum.IsMonotonic || sum.Temporality != metricdata.CumulativeTemporality || len(sum.DataPoints) != 2 {
		t.Errorf("%+v", orders)
	}
	if p := sum.DataPoints[0]; p.Value != 42 || p.Attributes.Len() != 1 || p.StartTime.After(p.Time) || p.StartTime.IsZero() {
		t.Errorf("%+v", p)
	}
	if p := all["shop.carts.open"].Data.(metricdata.Gauge[float64]).DataPoints[0]; p.Value != 1.5 || g.Value() != 1.5 {
		t.Errorf("%+v", p)
	}
	p := all["shop.order.value"].Data.(metricdata.ExponentialHistogram[float64]).DataPoints[0]
	total := p.ZeroCount
	for _, n := range p.PositiveBucket.Counts {
		total += n
	}
	if p.Count != 4 || p.Sum != 111 || p.Scale != 3 || p.ZeroCount != 1 || total != p.Count {
		t.Errorf("%+v", p)
	}
}

func TestACounterThatFellBeganAgain(t *testing.T) {
	set := metrics.NewSet()
	c := counterOf(t, set, "c")
	point := func() metricdata.DataPoint[int64] {
		return produced(t, set)["c"].Data.(metricdata.Sum[int64]).DataPoints[0]
	}
	c.Add(10)
	first := point()
	c.Dec()
	if p := point(); p.Value != 9 || !p.StartTime.After(first.StartTime) {
		t.Errorf("after Dec: %d since %v, before %v", p.Value, p.StartTime, first.StartTime)
	}
	c.Reset()
	before := point()
	c.Add(20) // more than it had: only the start tells
	if p := point(); p.Value != 20 || !p.StartTime.Equal(before.StartTime) || !p.StartTime.After(first.StartTime) {
		t.Errorf("after Reset: %d since %v", p.Value, p.StartTime)
	}
	c.Reset()
	c.Dec()
	if p := point(); p.Value != 0 || c.Value() != 0 {
		t.Errorf("below 0: %d", p.Value)
	}
	h := metrics.Must(set.Histogram("h"))
	h.Record(1)
	h.Reset()
	h.RecordSince(time.Now())
	if p := produced(t, set)["h"].Data.(metricdata.ExponentialHistogram[float64]).DataPoints[0]; p.Count != 1 || p.Sum >= 1 {
		t.Errorf("after Reset: %+v", p)
	}
}

// quantile of an exponential histogram: the geometric middle of its bucket.
func quantile(p metricdata.ExponentialHistogramDataPoint[float64], rank uint64) float64 {
	if rank <= p.ZeroCount {
		return 0
	}
	seen := p.ZeroCount
	for i, n := range p.PositiveBucket.Counts {
		if seen += n; seen >= rank {
			return math.Exp2((float64(p.PositiveBucket.Offset) + float64(i) + 0.5) / 8)
		}
	}
	return math.Inf(1)
}

func TestQuantilesAreWithinTheStatedError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := metrics.NewSet()
		h := metrics.Must(set.Histogram("h"))
		values := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 {
			return math.Pow(10, rapid.Float64Range(-8.9, 17.9).Draw(t, "exponent"))
		}), 1, 200).Draw(t, "values")
		sum := 0.0
		for _, v := range values {
			h.Record(v)
			sum += v
		}
		slices.Sort(values)
		scopes, err := set.Produce(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p := scopes[0].Metrics[0].Data.(metricdata.ExponentialHistogram[float64]).DataPoints[0]
		if p.Count != uint64(len(values)) || p.Sum != sum {
			t.Fatalf("count %d and sum %g, want %d and %g", p.Count, p.Sum, len(values), sum)
		}
		for i, v := range values {
			// VictoriaMetrics prints the bounds with four digits.
			if got := quantile(p, uint64(i+1)); got > v*1.1145 || got < v/1.1145 {
				t.Fatalf("value %d of %d is %g, and read as %g: off by %.1f %%", i+1, len(values), v, got, 100*(got/v-1))
			}
		}
	})
}

func TestBeyondItsBoundANameHasOneSeriesMore(t *testing.T) {
	set := metrics.NewSet(metrics.WithMaxSeries(10))
	for i := range 100 {
		counterOf(t, set, "c", metrics.With(attribute.Int("i", i))).Inc()
	}
	points := produced(t, set)["c"].Data.(metricdata.Sum[int64]).DataPoints
	total := int64(0)
	for _, p := range points {
		total += p.Value
		if over, ok := p.Attributes.Value("otel.metric.overflow"); ok && (!over.AsBool() || p.Value != 91) {
			t.Errorf("the overflow is %d, want 91", p.Value)
		}
	}
	if len(points) != 10 || total != 100 {
		t.Errorf("%d series with %d in all, want 10 with 100", len(points), total)
	}
}

func TestBadInstrumentsAreNamed(t *testing.T) {
	set := metrics.NewSet()
	counterOf(t, set, "taken", metrics.WithUnit("s"))
	counterOf(t, set, "a.b")
	long := strings.Repeat("x", 2000)
	for field, err := range map[string]error{
		"name":         second(set.Counter("")),
		"name ":        second(set.Counter("1a")),
		"name  ":       second(set.Counter("a b")),
		"name   ":      second(set.Counter(long)),
		"name    ":     second(set.Gauge("taken", metrics.WithUnit("s"))),
		"name     ":    second(set.Counter("a/b")), // the same to Prometheus as a.b
		"unit":         second(set.Counter("taken", metrics.WithUnit("By"))),
		"unit ":        second(set.Histogram("u", metrics.WithUnit(long))),
		"unit  ":       second(set.Histogram("u", metrics.WithUnit("ä"))),
		"description":  second(set.Counter("d", metrics.WithDescription("\xff"))),
		"attribute":    second(set.Counter("a", metrics.With(attribute.String("x.y", ""), attribute.String("x_y", "")))),
		"attribute ":   second(set.Counter("a", metrics.With(attribute.String("k", long)))),
		"attribute  ":  second(set.Counter("a", metrics.With(attribute.String("", "v")))),
		"attribute   ": second(set.Histogram("a", metrics.With(attribute.String("le", "1")))),
		"attributes":   second(set.Counter("a", metrics.With(many(33)...))),
	} {
		var e *metrics.Error
		if !errors.As(err, &e) || e.Field != strings.TrimSpace(field) {
			t.Errorf("%q: error %v", field, err)
		}
	}
	if got := set.String(); got != "2 names with 2 series" {
		t.Errorf("the set holds %s", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("Must does not panic")
		}
	}()
	metrics.Must(set.Counter(""))
}

func second[T any](_ T, err error) error { return err }

func many(n int) (list []attribute.KeyValue) {
	for i := range n {
		list = append(list, attribute.Int(fmt.Sprint("k", i), i))
	}
	return list
}

func TestConcurrentUse(t *testing.T) {
	set := metrics.NewSet(metrics.WithMaxSeries(20))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 500 {
				c, err := set.Counter("c", metrics.With(attribute.Int("i", rand.IntN(40))))
				if err != nil {
					t.Error(err)
					return
				}
				c.Inc()
				metrics.Must(set.Histogram("h")).Record(float64(n))
				metrics.Must(set.Gauge("g")).Inc()
				if n%100 == i {
					if _, err := set.Produce(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	total := int64(0)
	for _, p := range produced(t, set)["c"].Data.(metricdata.Sum[int64]).DataPoints {
		total += p.Value
	}
	if total != 4000 {
		t.Errorf("%d counted, want 4000", total)
	}
}

func BenchmarkInc(b *testing.B) {
	b.Run("otelplat", func(b *testing.B) {
		c := metrics.Must(metrics.NewSet().Counter("c", metrics.With(attribute.String("k", "v"))))
		b.ReportAllocs()
		for b.Loop() {
			c.Inc()
		}
	})
	b.Run("otel-sdk", func(b *testing.B) {
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
		c, err := provider.Meter("m").Int64Counter("c")
		if err != nil {
			b.Fatal(err)
		}
		attributes := metric.WithAttributeSet(attribute.NewSet(attribute.String("k", "v")))
		ctx := context.Background()
		b.ReportAllocs()
		for b.Loop() {
			c.Add(ctx, 1, attributes)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	b.Run("otelplat", func(b *testing.B) {
		h := metrics.Must(metrics.NewSet().Histogram("h"))
		b.ReportAllocs()
		for b.Loop() {
			h.Record(0.123)
		}
	})
	b.Run("otel-sdk", func(b *testing.B) {
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
		h, err := provider.Meter("m").Float64Histogram("h")
		if err != nil {
			b.Fatal(err)
		}
		ctx := context.Background()
		b.ReportAllocs()
		for b.Loop() {
			h.Record(ctx, 0.123)
		}
	})
}

func thousand(b *testing.B) *metrics.Set {
	set := metrics.NewSet()
	for i := range 1000 {
		with := metrics.With(attribute.Int("i", i))
		switch i % 3 {
		case 0:
			metrics.Must(set.Counter("c", with)).Inc()
		case 1:
			metrics.Must(set.Gauge("g", with)).Inc()
		case 2:
			h := metrics.Must(set.Histogram("h", with))
			for n := range 20 {
				h.Record(float64(n) / 100)
			}
		}
	}
	return set
}

func BenchmarkProduce(b *testing.B) {
	set := thousand(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := set.Produce(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
