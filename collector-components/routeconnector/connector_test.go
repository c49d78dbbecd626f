// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/routeconnector/internal/metadatatest"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"
)

// configured routes cold and audit, of every signal; audit goes to two pipelines.
func configured(t testing.TB, change map[string]any) *Config {
	t.Helper()
	ids := func(names ...string) (list []string) {
		for _, signal := range []string{"traces", "metrics", "logs"} {
			for _, n := range names {
				list = append(list, signal+"/"+n)
			}
		}
		return list
	}
	conf := map[string]any{"default": ids("hot"), "routes": map[string]any{"cold": ids("cold"), "audit": ids("hot", "audit")}}
	for k, v := range change {
		conf[k] = v
	}
	cfg := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(conf).Unmarshal(cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

var pipelines = []string{"hot", "cold", "audit"}

// mixed is a batch of every case.
var mixed = []resource{
	{"orders", "", []scope{{"http", []item{{"a", "cold"}, {"b", ""}, {"c", "cold"}}}, {"db", []item{{"d", "audit"}}}}},
	{"stock", "cold", []scope{{"http", []item{{"e", ""}, {"f", ""}}}, {"none", nil}}},
	{"stock", "cold", []scope{{"http", []item{{"g", ""}, {"h", "audit"}, {"i", "misspelt"}}}}},
	{"mail", "nowhere", []scope{{"smtp", []item{{"j", ""}}}}},
	{"empty", "cold", nil},
}

func TestEachItemTakesTheRouteThatItNamesOrItsResource(t *testing.T) {
	for signal, open := range signals {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/keep=%v", signal, keep), func(t *testing.T) {
				tel := componenttest.NewTelemetry()
				t.Cleanup(func() { tel.Shutdown(t.Context()) })
				came := make(map[string]string)
				s, err := open(t, tel.NewTelemetrySettings(), configured(t, map[string]any{"keep_attribute": keep}), pipelines, func(p string, lines []line) error {
					for _, l := range lines {
						came[p] += fmt.Sprintf("%s/%s/%s ", l.resource, l.scope, l.item)
						if l.named && !keep {
							t.Errorf("%s still names its route", l.item)
						}
						if routed := l.item != "b"; keep && routed != l.named {
							t.Errorf("%s names its route: %v", l.item, l.named)
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.consume(t.Context(), mixed); err != nil {
					t.Fatal(err)
				}
				want := map[string]string{
					"hot":   "orders/http/b stock/http/i mail/smtp/j orders/db/d stock/http/h ", // the default's, then audit's
					"audit": "orders/db/d stock/http/h ",
					"cold":  "orders/http/a orders/http/c stock/http/e stock/http/f stock/http/g ",
				}
				// Ways are sent in the order of their names, the default first.
				if !reflect.DeepEqual(came, want) {
					t.Errorf("came %q\nexpected %q", came, want)
				}
				items := func(route string, n int64) metricdata.DataPoint[int64] {
					return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(
						attribute.String("route", route), attribute.String(semconv.CollectorSignal, signal))}
				}
				metadatatest.AssertEqualConnectorRouteItems(t, tel, []metricdata.DataPoint[int64]{items("default", 3), items("audit", 2), items("cold", 5)}, metricdatatest.IgnoreTimestamp())
				metadatatest.AssertEqualConnectorRouteUnknownItems(t, tel, []metricdata.DataPoint[int64]{
					{Value: 2, Attributes: attribute.NewSet(attribute.String(semconv.CollectorSignal, signal))},
				}, metricdatatest.IgnoreTimestamp())
			})
		}
	}
}

func TestWhatComesOutIsWhatCameInInItsOrder(t *testing.T) {
	for signal, open := range signals {
		t.Run(signal, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				route := rapid.SampledFrom([]string{"", "", "cold", "audit", "misspelt"})
				n := 0
				batch := make([]resource, rapid.IntRange(0, 4).Draw(rt, "resources"))
				want := make(map[string][]line)
				for i := range batch {
					r := &batch[i]
					r.name, r.route = fmt.Sprint("r", i), route.Draw(rt, "route")
					r.scopes = make([]scope, rapid.IntRange(0, 3).Draw(rt, "scopes"))
					for j := range r.scopes {
						s := &r.scopes[j]
						s.name = fmt.Sprint("s", j)
						for range rapid.IntRange(0, 4).Draw(rt, "items") {
							n++
							it := item{fmt.Sprint("i", n), route.Draw(rt, "route")}
							s.items = append(s.items, it)
							way := it.route
							if way == "" {
								way = r.route
							}
							if way != "cold" && way != "audit" {
								way = "default"
							}
							want[way] = append(want[way], line{r.name, s.name, it.name, false})
						}
					}
				}
				came := make(map[string][]line)
				cfg := configured(t, map[string]any{"routes": map[string]any{"cold": []string{signal + "/cold"}, "audit": []string{signal + "/audit"}}})
				s, err := open(t, componenttest.NewNopTelemetrySettings(), cfg, pipelines, func(p string, lines []line) error {
					if p == "hot" {
						p = "default"
					}
					if came[p] != nil {
						rt.Errorf("%s was sent to twice", p)
					}
					came[p] = append(came[p], lines...)
					return nil
				})
				if err != nil {
					rt.Fatal(err)
				}
				if err := s.consume(t.Context(), batch); err != nil {
					rt.Fatal(err)
				}
				for _, p := range []string{"default", "cold", "audit"} {
					if !slices.Equal(came[p], want[p]) {
						rt.Errorf("%s took %v, expected %v", p, came[p], want[p])
					}
				}
			})
		})
	}
}

func TestARouteThatIsNoTextIsUnknown(t *testing.T) {
	p := plan{attribute: "route", byName: map[string]uint8{"5": 1}}
	span := ptrace.NewSpan()
	span.Attributes().PutInt("route", 5)
	p.item(span.Attributes(), byDefault)
	if p.unknown != 1 || p.ways[0] != byDefault || span.Attributes().Len() != 0 {
		t.Errorf("%d unknown, way %d, %d attributes", p.unknown, p.ways[0], span.Attributes().Len())
	}
}

func TestWhenAPipelineFails(t *testing.T) {
	full := status.Error(codes.Unavailable, "the queue is full")
	bad := consumererror.NewPermanent(errors.New("too large"))
	for name, test := range map[string]struct {
		errs    map[string]error
		partial string
		retried bool
		counted int64
	}{
		"one is full, all is to be sent again":        {map[string]error{"cold": full}, PartialRetry, true, 1},
		"one is full, and nothing is":                 {map[string]error{"cold": full}, PartialDrop, false, 1},
		"all are full, nothing was taken":             {map[string]error{"cold": full, "hot": full}, PartialDrop, true, 0},
		"one will never take it":                      {map[string]error{"cold": bad}, PartialRetry, false, 0},
		"one will never, the other will":              {map[string]error{"cold": bad, "hot": full}, PartialRetry, true, 0},
		"one will never, the other will, none taken":  {map[string]error{"cold": bad, "hot": full}, PartialDrop, true, 0},
		"a batch of one way, whose pipeline is full":  {map[string]error{"hot": full, "only": nil}, PartialDrop, true, 0},
		"a batch of one way that will never be taken": {map[string]error{"hot": bad, "only": nil}, PartialRetry, false, 0},
	} {
		for signal, open := range signals {
			t.Run(name+"/"+signal, func(t *testing.T) {
				tel := componenttest.NewTelemetry()
				t.Cleanup(func() { tel.Shutdown(t.Context()) })
				s, err := open(t, tel.NewTelemetrySettings(), configured(t, map[string]any{"partial_failure": test.partial}), pipelines,
					func(p string, _ []line) error { return test.errs[p] })
				if err != nil {
					t.Fatal(err)
				}
				batch := []resource{{"orders", "", []scope{{"http", []item{{"a", "cold"}, {"b", ""}}}}}}
				if _, only := test.errs["only"]; only {
					batch = []resource{{"orders", "", []scope{{"http", []item{{"b", ""}}}}}}
				}
				err = s.consume(t.Context(), batch)
				if err == nil {
					t.Fatal("there is no error")
				}
				// What the OTLP receiver makes of it: a status within goes before all else.
				_, within := status.FromError(err)
				if retried := within || !consumererror.IsPermanent(err); retried != test.retried || consumererror.IsPermanent(err) == test.retried {
					t.Errorf("%v: senders try again: %v, expected %v", err, retried, test.retried)
				}
				if test.counted > 0 {
					metadatatest.AssertEqualConnectorRoutePartialFailures(t, tel, []metricdata.DataPoint[int64]{
						{Value: test.counted, Attributes: attribute.NewSet(attribute.String(semconv.CollectorSignal, signal))},
					}, metricdatatest.IgnoreTimestamp())
				} else if _, err := tel.GetMetric("otelcol_connector_route_partial_failures"); err == nil {
					t.Error("it is counted as a partial failure")
				}
			})
		}
	}
}

func TestConfiguration(t *testing.T) {
	many := make(map[string]any)
	for i := range 65 {
		many[fmt.Sprint("r", i)] = []string{"traces"}
	}
	for name, test := range map[string]struct {
		change  map[string]any
		message string
	}{
		"as it is":                    {nil, ""},
		"without a default":           {map[string]any{"default": []string{}}, "default is required"},
		"without an attribute":        {map[string]any{"attribute": ""}, "attribute is required"},
		"a route without pipelines":   {map[string]any{"routes": map[string]any{"a": []string{}}}, "has no pipeline"},
		"a route of the default name": {map[string]any{"routes": map[string]any{"default": []string{"traces"}}}, "takes no other"},
		"a name without end":          {map[string]any{"routes": map[string]any{strings.Repeat("a", 257): []string{"traces"}}}, "256 bytes"},
		"too many routes":             {map[string]any{"routes": many}, "more than 64"},
		"another end of a failure":    {map[string]any{"partial_failure": "hope"}, "neither retry nor drop"},
	} {
		err := configured(t, test.change).Validate()
		if (err == nil) != (test.message == "") || err != nil && !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: error is %v, expected one of %q", name, err, test.message)
		}
	}
}

func TestWhatLeadsNowhereIsNotStarted(t *testing.T) {
	for signal, open := range signals {
		took := func(string, []line) error { return nil }
		set := componenttest.NewNopTelemetrySettings()
		for name, change := range map[string]map[string]any{
			"a route to a pipeline that does not receive from it": {"routes": map[string]any{"a": []string{signal + "/elsewhere"}}},
			"a default that does not":                             {"default": []string{signal + "/elsewhere"}},
			"no default of the signal":                            {"default": slices.DeleteFunc([]string{"traces/hot", "metrics/hot", "logs/hot"}, func(id string) bool { return strings.HasPrefix(id, signal) })},
		} {
			if _, err := open(t, set, configured(t, change), pipelines, took); err == nil {
				t.Errorf("%s: %s is started", signal, name)
			}
		}
		// A route of other signals only is no mistake.
		other := map[string]string{"traces": "logs/cold", "metrics": "logs/cold", "logs": "traces/cold"}[signal]
		if _, err := open(t, set, configured(t, map[string]any{"routes": map[string]any{"a": []string{other}}}), pipelines, took); err != nil {
			t.Error(err)
		}
	}
}
