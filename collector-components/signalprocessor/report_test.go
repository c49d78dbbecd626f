// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
)

// ownReport is what otelplat.Start exports of a server each second.
func ownReport(second int) pmetric.Metrics {
	md := metricOf("orders", semconv.ServerRequests, "{request}", func(m pmetric.Metric) {
		s := m.SetEmptySum()
		s.SetIsMonotonic(true)
		s.SetAggregationTemporality(delta)
		dp := s.DataPoints().AppendEmpty()
		dp.SetStartTimestamp(at(second - 1))
		dp.SetTimestamp(at(second))
		dp.SetIntValue(100)
	})
	addMetric(md, "", semconv.ServerTime, "s", counter(delta, second-1, second, map[string]float64{"": 2}))
	addMetric(md, "", "process.cpu.time", "s", counter(delta, second-1, second, map[string]float64{"user": 1.5, "system": 0.5}))
	addMetric(md, "", "go.processor.limit", "{thread}", func(m pmetric.Metric) {
		m.SetEmptySum().DataPoints().AppendEmpty().SetIntValue(4)
	})
	md.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().SetName(semconv.ServerScope)
	return md
}

func TestAServersOwnFormIsKeptHereAndGoesBeforeTheStandard(t *testing.T) {
	r := newRig(t, nil)
	for i := range 20 {
		md := ownReport(i - 20)
		r.send("service:orders", md)
		if md.MetricCount() != 0 {
			t.Fatalf("%d metrics pass on", md.MetricCount())
		}
	}
	r.send("service:orders", metricOf("orders", "http.server.request.duration", "s", explicit(delta, -60, 0, 100_000, 1, attributes{})))
	r.want("server", "preferred", 1)
	s := r.fleet("orders").Instances["o1"]
	if s.ServiceDemand < 19*time.Millisecond || s.ServiceDemand > 21*time.Millisecond || s.Parallelism < 4 {
		t.Errorf("a demand of %v and a parallelism of %g, want 20ms and at least 4", s.ServiceDemand, s.Parallelism)
	}
	r = newRig(t, func(c *Config) { c.Forward, c.EjectionBase = true, time.Minute })
	md := ownReport(0)
	r.send("service:orders", md)
	if md.MetricCount() != 4 {
		t.Errorf("%d metrics are forwarded, want 4", md.MetricCount())
	}
}

func TestWhatAServerSaysInBothFormsIsNotAddedUp(t *testing.T) {
	r := newRig(t, nil)
	for i := range 20 {
		md := ownReport(i - 20)
		other := metricOf("orders", "http.server.request.duration", "s", explicit(delta, i-21, i-20, 100, 2, attributes{}))
		other.ResourceMetrics().At(0).ScopeMetrics().At(0).CopyTo(md.ResourceMetrics().At(0).ScopeMetrics().AppendEmpty())
		r.send("service:orders", md)
	}
	r.want("server", "preferred", 20)
	if s := r.fleet("orders").Instances["o1"]; s.ServiceDemand < 19*time.Millisecond || s.ServiceDemand > 21*time.Millisecond {
		t.Errorf("a demand of %v, want 20ms: each request counts once", s.ServiceDemand)
	}
}

func TestAServersReportThroughAnAgentIsTheServices(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Agents = []string{"service:agent"} })
	rm := ownReport(0).ResourceMetrics().At(0)
	b := r.batch(from(t.Context(), "service:agent"))
	defer b.free()
	b.resource(rm.Resource())
	for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
		b.reported(m)
	}
	b.endResource()
	if len(b.reports) != 1 || b.reports[0].caller != signal.HashCaller("service:orders") {
		t.Errorf("%+v: as the agent's, all services behind it would have one service's share of the instances", b.reports)
	}
}

func TestSpansBecomeSignalsOfWhoDiscoveryAnnounces(t *testing.T) {
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	registration, err := discovery.Etcd(c).Register(t.Context(), discovery.Instance{
		Service: "orders", ID: "orders-1", Zone: "z1", Labels: map[string]string{"variant": "blue"},
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "10.0.0.1:8080"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer registration.Close(context.Background())
	cfg := defaultConfig()
	cfg.Etcd = etcdconfig.Config{Endpoints: []string{server.Endpoint()}, Namespace: c.Namespace()}
	set := processortest.NewNopSettings(Type)
	set.ID = component.NewIDWithName(Type, t.Name())
	next := &consumertest.TracesSink{}
	p, err := NewFactory().CreateTraces(t.Context(), set, cfg, next)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	source := signal.Etcd(c)
	defer source.Close()
	f, err := source.Service(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	coordtest.Eventually(t, 30*time.Second, func() bool {
		sent++
		if err := p.ConsumeTraces(from(t.Context(), "service:a"), span(time.Millisecond, toOrders)); err != nil {
			t.Fatal(err)
		}
		fleet := f.Fleet()
		return fleet != nil && fleet.Instances["orders-1"] != nil
	}, "the instance is known to readers")
	if s := f.Fleet().Instances["orders-1"]; s.Zone != "z1" || s.Variant != "blue" {
		t.Errorf("zone %q, variant %q", s.Zone, s.Variant)
	}
	if n := next.SpanCount(); n != sent {
		t.Errorf("%d of %d spans passed", n, sent)
	}
}

func TestPipelinesSendAtOnce(t *testing.T) {
	r := newRig(t, nil)
	var senders sync.WaitGroup
	const each, batches = 4, 50
	for i := range each {
		senders.Go(func() {
			for n := range batches {
				name := fmt.Sprint("service:a", i)
				r.send(name, measurements("o1", semconv.OutcomeOK, 1))
				r.send(fmt.Sprint("service:b", i), metricOf("b", "http.client.request.duration", "s", explicit(cumulative, -100, n-100, uint64(n), float64(n)*0.01, toOrders.and("x", i))))
				r.sendSpans(fmt.Sprint("service:c", i), span(time.Millisecond, toOrders))
				r.send("service:orders", ownReport(n-100))
			}
		})
	}
	senders.Wait()
	r.want("router", "taken", each*batches)
	r.want("spans", "taken", each*batches)
	r.want("metrics", "baseline", each)
	r.want("metrics", "taken", each*(batches-1))
	if w := r.window("orders", "o1", 60); w.Requests != each*(2*batches+batches-1) {
		t.Errorf("%d requests, want %d", w.Requests, each*(3*batches-1))
	}
}
