// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestStandardClientMetricsCountForTheInstanceAtTheAddress(t *testing.T) {
	rpc := attributes{"rpc.system.name": "grpc", "server.address": "10.0.0.1", "server.port": 8080, "rpc.response.status_code": "OK"}
	for name, c := range map[string]struct {
		metric, unit string
		fill         func(pmetric.Metric)
		errors       uint64
		latencies    uint64 // explicit buckets never become latencies
	}{
		"explicit buckets over HTTP":              {"http.client.request.duration", "s", explicit(delta, -60, 0, 30, 3, toOrders), 0, 0},
		"server errors over HTTP":                 {"http.client.request.duration", "s", explicit(delta, -60, 0, 30, 3, toOrders.and("http.response.status_code", 503)), 30, 0},
		"not found is the caller's":               {"http.client.request.duration", "s", explicit(delta, -60, 0, 30, 3, toOrders.and("http.response.status_code", 404)), 0, 0},
		"exponential buckets over RPC":            {"rpc.client.call.duration", "s", exponential(delta, -60, 0, 30, 0.3, rpc), 0, 30},
		"errors over RPC":                         {"rpc.client.call.duration", "s", exponential(delta, -60, 0, 30, 0.3, rpc.and("rpc.response.status_code", "UNAVAILABLE")), 30, 0},
		"the older name, in milliseconds":         {"rpc.client.duration", "ms", explicit(delta, -60, 0, 30, 3000, rpc), 0, 0},
		"exponential milliseconds are no latency": {"rpc.client.duration", "ms", exponential(delta, -60, 0, 30, 0.3, rpc), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			md := metricOf("storefront", c.metric, c.unit, c.fill)
			r.send("service:storefront", md)
			if md.DataPointCount() != 1 {
				t.Error("standard metrics pass on")
			}
			r.want("metrics", "taken", 1)
			w := r.window("orders", "o1", 60)
			if w.Requests != 30 || w.Errors != c.errors || w.Latency.Count() != c.latencies {
				t.Errorf("%d requests, %d errors, %d latencies; want 30, %d, %d", w.Requests, w.Errors, w.Latency.Count(), c.errors, c.latencies)
			}
			if w.Busy <= 0 || w.Busy > 3.01 {
				t.Errorf("busy for %g s", w.Busy)
			}
			if w := r.window("orders", "o1", 10); w.Requests != 0 {
				t.Error("how a minute's requests were spread nobody knows: they count in the window of a minute only")
			}
			if s := r.fleet("orders").Instances["o1"]; s.Variant != "blue" || s.Zone != "z1" {
				t.Errorf("variant %q, zone %q: they are discovery's", s.Variant, s.Zone)
			}
		})
	}
}

func TestAReportOfASecondCountsInAllWindows(t *testing.T) {
	r := newRig(t, nil)
	r.send("service:storefront", metricOf("storefront", "http.client.request.duration", "s", exponential(delta, -1, 0, 30, 0.3, toOrders)))
	for _, seconds := range []uint32{1, 10, 60} {
		if w := r.window("orders", "o1", seconds); w.Requests != 30 {
			t.Errorf("%d requests in %d s", w.Requests, seconds)
		}
	}
}

func TestFailuresInStandardMetricsAreEvidence(t *testing.T) {
	r := newRig(t, nil)
	r.send("service:storefront", metricOf("storefront", "http.client.request.duration", "s",
		explicit(delta, -60, 0, 30, 3, toOrders.and("http.response.status_code", 500))))
	if v := r.fleet("orders").Instances["o1"].Verdict; v.State.String() != "bad" {
		t.Errorf("%v: the one caller saw it bad", v)
	}
}

func TestCumulativeMetricsCountWhatIsNew(t *testing.T) {
	for name, fill := range map[string]func(pmetric.AggregationTemporality, int, int, uint64, float64, attributes) func(pmetric.Metric){
		"explicit": explicit, "exponential": exponential,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			send := func(end int, count uint64) {
				r.send("service:storefront", metricOf("storefront", "http.client.request.duration", "s", fill(cumulative, -200, end, count, float64(count)*0.01, toOrders)))
			}
			send(-60, 1000)
			r.want("metrics", "baseline", 1)
			if w := r.window("orders", "o1", 60); w.Requests != 0 {
				t.Errorf("%d requests of all time are counted", w.Requests)
			}
			send(-30, 1030)
			send(0, 1040)
			send(0, 1040) // again: nothing is new
			w := r.window("orders", "o1", 60)
			if w.Requests != 40 || w.Busy < 0.39 || w.Busy > 0.41 {
				t.Errorf("%d requests in %g s, want 40 in 0.4", w.Requests, w.Busy)
			}
			if n := w.Latency.Count(); name == "exponential" && n != 40 || name == "explicit" && n != 0 {
				t.Errorf("%d latencies", n)
			}
			// Another process of the same principal, and another status, are other series.
			r.send("service:storefront", metricOf("storefront", "http.client.request.duration", "s", fill(cumulative, -200, 0, 500, 5, toOrders.and("http.response.status_code", 201))))
			if w := r.window("orders", "o1", 60); w.Requests != 40 {
				t.Errorf("%d requests after another series began", w.Requests)
			}
		})
	}
}

// A caller that has a better source is not counted twice.
func TestTheBestSourceOfACallerCounts(t *testing.T) {
	r := newRig(t, nil)
	spans := func(principal string) { r.sendSpans(principal, span(10*time.Millisecond, toOrders)) }
	metrics := func(principal string) {
		r.send(principal, metricOf("storefront", "http.client.request.duration", "s", explicit(delta, -60, 0, 10, 1, toOrders)))
	}
	router := func(principal string) { r.send(principal, measurements("o1", "ok", 5)) }

	spans("service:a")
	r.want("spans", "taken", 1)
	metrics("service:a")
	r.want("metrics", "taken", 1)
	spans("service:a")
	r.want("spans", "preferred", 1)
	router("service:a")
	r.want("router", "taken", 1)
	metrics("service:a")
	spans("service:a")
	r.want("metrics", "preferred", 1)
	r.want("spans", "preferred", 2)

	spans("service:b") // another caller has no other source
	r.want("spans", "taken", 2)
	r.sendSpans("service:a", span(time.Millisecond, attributes{"http.request.method": "GET", "server.address": "10.0.1.1", "url.scheme": "http"}))
	r.want("spans", "taken", 3) // and another callee is another matter

	if w := r.window("orders", "o1", 60); w.Requests != 1+10+5+1 {
		t.Errorf("%d requests, want 17", w.Requests)
	}
}

func TestTheFirstPointOfASeriesAlreadyStopsSpans(t *testing.T) {
	r := newRig(t, nil)
	r.send("service:a", metricOf("storefront", "http.client.request.duration", "s", explicit(cumulative, -200, 0, 1000, 10, toOrders)))
	r.sendSpans("service:a", span(10*time.Millisecond, toOrders))
	r.want("spans", "preferred", 1)
}

func TestSpans(t *testing.T) {
	sampled := func(state string) func(ptrace.Span) {
		return func(s ptrace.Span) { s.TraceState().FromRaw(state) }
	}
	failed := func(s ptrace.Span) { s.Status().SetCode(ptrace.StatusCodeError) }
	without := attributes{"http.request.method": "GET", "server.address": "10.0.0.1", "server.port": 8080}
	for name, c := range map[string]struct {
		attributes                          attributes
		change                              []func(ptrace.Span)
		requests, errors, timeouts, refused uint64
	}{
		"a call that went well":            {toOrders, nil, 1, 0, 0, 0},
		"a server error":                   {toOrders.and("http.response.status_code", 500), []func(ptrace.Span){failed}, 1, 1, 0, 0},
		"the caller's error is none":       {toOrders.and("http.response.status_code", 400), []func(ptrace.Span){failed}, 1, 0, 0, 0},
		"a time-out":                       {without.and("error.type", "context.deadlineExceededError"), []func(ptrace.Span){failed}, 1, 0, 1, 0},
		"a refused connection":             {without.and("error.type", "java.net.ConnectException"), []func(ptrace.Span){failed}, 1, 0, 0, 1},
		"a cancelled call says nothing":    {without.and("error.type", "context.Canceled"), []func(ptrace.Span){failed}, 0, 0, 0, 0},
		"an error without a name":          {without, []func(ptrace.Span){failed}, 1, 1, 0, 0},
		"an older gRPC status":             {without.and("rpc.grpc.status_code", 14), nil, 1, 1, 0, 0},
		"one of four sampled":              {toOrders, []func(ptrace.Span){sampled("other=1,ot=rv:1;th:c")}, 4, 0, 0, 0},
		"the peer goes before the address": {without.and("server.address", "orders.example").and("network.peer.address", "10.0.0.1").and("network.peer.port", 8080), nil, 1, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			td := span(10*time.Millisecond, c.attributes, c.change...)
			r.sendSpans("service:storefront", td)
			if td.SpanCount() != 1 {
				t.Error("spans pass on")
			}
			r.want("spans", "taken", 1)
			w := r.window("orders", "o1", 60)
			if w.Requests != c.requests || w.Errors != c.errors || w.Timeouts != c.timeouts || w.Refused != c.refused {
				t.Errorf("%+v, want %d requests, %d errors, %d time-outs, %d refused", w, c.requests, c.errors, c.timeouts, c.refused)
			}
			if ok := c.requests - c.errors - c.timeouts - c.refused; c.requests > 0 && w.Latency.Count() != ok {
				t.Errorf("%d latencies, want %d", w.Latency.Count(), ok)
			} else if ok > 0 && (w.Latency.Mean() < 0.0095 || w.Latency.Mean() > 0.0105) {
				t.Errorf("a latency of %g s", w.Latency.Mean())
			}
		})
	}
}

func TestASampledSpanIsEvidenceOfItselfOnly(t *testing.T) {
	r := newRig(t, nil)
	failed := func() {
		r.sendSpans("service:storefront", span(10*time.Millisecond, toOrders.and("http.response.status_code", 500),
			func(s ptrace.Span) { s.TraceState().FromRaw("ot=th:fd70a3d70a3d71") })) // one in a hundred
	}
	failed()
	if w := r.window("orders", "o1", 60); w.Requests < 99 || w.Requests > 101 {
		t.Errorf("%d requests, want about a hundred: that is the rate", w.Requests)
	}
	if v := r.fleet("orders").Instances["o1"].Verdict; v.State.String() != "good" || v.Requests != 1 {
		t.Errorf("%v after one span", v)
	}
	for range 9 {
		failed()
	}
	if v := r.fleet("orders").Instances["o1"].Verdict; v.State.String() != "bad" {
		t.Errorf("%v after ten", v)
	}
}

func TestSpansThatAreNoneOfOurs(t *testing.T) {
	r := newRig(t, nil)
	r.sendSpans("service:a", span(time.Millisecond, toOrders, func(s ptrace.Span) { s.SetKind(ptrace.SpanKindServer) }))
	r.sendSpans("service:a", span(time.Millisecond, attributes{"db.system.name": "postgresql", "server.address": "10.0.0.1", "server.port": 8080}))
	r.sendSpans("service:a", span(time.Millisecond, toOrders.and("server.address", "example.com")))
	r.want("spans", "address", 1)
	r.want("spans", "taken", 0)
	if n := len(r.fleet("orders").Instances); n != 0 {
		t.Errorf("%d instances", n)
	}
}

func TestAServersOwnReportGivesItsCapacity(t *testing.T) {
	// A second of 100 requests that took 2 s of CPU, with 2 in flight.
	second := func(r *rig, principal string, i int) {
		md := metricOf("orders", "http.server.request.duration", "s", explicit(delta, i-1, i, 100, 2, attributes{"http.request.method": "GET"}))
		addMetric(md, "", "process.cpu.time", "s", counter(delta, i-1, i, map[string]float64{"user": 1.5, "system": 0.5}))
		addMetric(md, "", "go.processor.limit", "{thread}", func(m pmetric.Metric) {
			m.SetEmptySum().DataPoints().AppendEmpty().SetIntValue(4)
		})
		r.send(principal, md)
	}
	r := newRig(t, nil)
	for i := range 20 {
		second(r, "service:orders", i-20)
	}
	s := r.fleet("orders").Instances["o1"]
	if s == nil || s.ServiceDemand < 19*time.Millisecond || s.ServiceDemand > 21*time.Millisecond || s.Parallelism < 4 || s.Parallelism > 12 {
		t.Fatalf("%+v, want a demand of 20ms and a parallelism of 4 to 12", s)
	}
	if s.Verdict.Callers != 0 {
		t.Error("what a server says of itself is no caller's evidence")
	}
	t.Run("somebody else's is refused", func(t *testing.T) {
		r := newRig(t, nil)
		second(r, "service:mallory", 0)
		r.want("server", "foreign", 3)
		if len(r.fleet("orders").Instances) != 0 {
			t.Error("it counts")
		}
	})
	t.Run("a user of the service's name is not the service", func(t *testing.T) {
		r := newRig(t, nil)
		second(r, "user:orders", 0)
		r.want("server", "foreign", 3)
	})
	t.Run("an agent may pass it on", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Agents = []string{"service:agent"} })
		second(r, "service:agent", 0)
		r.want("server", "taken", 3)
	})
}

func TestCumulativeCPUTime(t *testing.T) {
	r := newRig(t, nil)
	for i := range 10 {
		n := float64(i + 1)
		md := metricOf("orders", "http.server.request.duration", "s", explicit(cumulative, -200, 6*i-60, uint64(100*n), 2*n, attributes{}))
		addMetric(md, "", "process.cpu.time", "s", counter(cumulative, -200, 6*i-60, map[string]float64{"user": n, "system": n}))
		r.send("service:orders", md)
	}
	s := r.fleet("orders").Instances["o1"]
	if s == nil || s.ServiceDemand < 19*time.Millisecond || s.ServiceDemand > 21*time.Millisecond {
		t.Fatalf("%+v, want a demand of 20ms", s)
	}
	r.want("server", "baseline", 3)
}

func TestAnAgentsSpansAreTheVoiceOfTheServiceTheyName(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Agents = []string{"service:agent"} })
	for _, service := range []string{"a", "b", "c"} {
		for range 10 {
			td := span(time.Millisecond, toOrders.and("http.response.status_code", 500))
			td.ResourceSpans().At(0).Resource().Attributes().PutStr("service.name", service)
			r.sendSpans("service:agent", td)
		}
	}
	if v := r.fleet("orders").Instances["o1"].Verdict; v.Callers != 3 || v.BadCallers != 3 {
		t.Errorf("%v, want three callers", v)
	}
}
