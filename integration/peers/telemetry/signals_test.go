// SPDX-License-Identifier: Apache-2.0

package telemetry_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/connector/spanmetricsconnector"
	"github.com/otelplat/platform/collector-components/signalprocessor"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
)

// caller is who sends, as the collector's authenticator says it.
type caller string

func (c caller) GetAttribute(name string) any {
	if name == semconv.SenderPrincipal {
		return string(c)
	}
	return nil
}

func (caller) GetAttributeNames() []string { return []string{semconv.SenderPrincipal} }

// calls is a batch of one caller's client spans, which are the dear ones: the signal
// processor passes over the others.
func calls() ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "storefront")
	rs.Resource().Attributes().PutStr("service.version", "1.2.3")
	list := rs.ScopeSpans().AppendEmpty().Spans()
	end := time.Now()
	for i := range spansInBatch {
		s := list.AppendEmpty()
		s.SetName("GET")
		s.SetKind(ptrace.SpanKindClient)
		s.SetTraceID(pcommon.TraceID{1, byte(i), byte(i >> 8)})
		s.SetSpanID(pcommon.SpanID{1, byte(i), byte(i >> 8)})
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(end.Add(-time.Duration(i+1) * 100 * time.Microsecond)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
		s.Attributes().PutStr("http.request.method", "GET")
		s.Attributes().PutStr("url.full", "http://orders/orders/17")
		s.Attributes().PutStr("server.address", fmt.Sprintf("10.0.0.%d", i%10+1))
		s.Attributes().PutInt("server.port", 8080)
		s.Attributes().PutInt("http.response.status_code", 200)
		for k := s.Attributes().Len(); k < attributesOfASpan; k++ {
			s.Attributes().PutStr(fmt.Sprintf("app.attribute.%d", k), "some value")
		}
	}
	return td
}

// BenchmarkSignals makes rate, errors and latency of spans: per instance called, for the
// router, and with contrib's connector, in its default configuration, per operation of the
// service. x-contrib is how many times that takes as long.
func BenchmarkSignals(b *testing.B) {
	var contrib float64
	b.Run("contrib-spanmetrics", func(b *testing.B) {
		factory := spanmetricsconnector.NewFactory()
		c, err := factory.CreateTracesToMetrics(b.Context(), connectortest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig(), consumertest.NewNop())
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Start(b.Context(), componenttest.NewNopHost()); err != nil {
			b.Fatal(err)
		}
		defer shutdown(b, c)
		contrib = callsPerSpan(b, c)
	})
	b.Run("otelplat", func(b *testing.B) {
		ns := callsPerSpan(b, signals(b))
		if contrib > 0 {
			b.ReportMetric(contrib/ns, "x-contrib")
		}
	})
}

func callsPerSpan(b *testing.B, c consumer.Traces) float64 {
	td := calls()
	ctx := client.NewContext(b.Context(), client.Info{Auth: caller("service:storefront")})
	b.ReportAllocs()
	for b.Loop() {
		if err := c.ConsumeTraces(ctx, td); err != nil {
			b.Fatal(err)
		}
	}
	ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / spansInBatch
	b.ReportMetric(ns, "ns/span")
	return ns
}

// signals is a processor that knows the ten instances that the spans call, and publishes
// what it takes of them to an etcd.
func signals(b *testing.B) consumer.Traces {
	server := coordtest.Etcd(b)
	c := coordtest.Client(b, server)
	for i := range 10 {
		r, err := discovery.Etcd(c).Register(b.Context(), discovery.Instance{
			Service: "orders", ID: fmt.Sprint("orders-", i),
			Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: fmt.Sprintf("10.0.0.%d:8080", i+1)}},
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = r.Close(context.Background()) })
		<-r.Registered()
	}
	factory := signalprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(map[string]any{
		"etcd": map[string]any{"endpoints": []any{server.Endpoint()}, "namespace": c.Namespace()},
	}).Unmarshal(cfg); err != nil {
		b.Fatal(err)
	}
	p, err := factory.CreateTraces(b.Context(), processortest.NewNopSettings(factory.Type()), cfg, consumertest.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	if err := p.Start(b.Context(), componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { shutdown(b, p) })
	source := signal.Etcd(c)
	b.Cleanup(func() { _ = source.Close() })
	published, err := source.Service(b.Context(), "orders")
	if err != nil {
		b.Fatal(err)
	}
	ctx := client.NewContext(b.Context(), client.Info{Auth: caller("service:storefront")})
	coordtest.Eventually(b, 30*time.Second, func() bool {
		if err := p.ConsumeTraces(ctx, calls()); err != nil {
			b.Fatal(err)
		}
		fleet := published.Fleet()
		return fleet != nil && len(fleet.Instances) == 10
	}, "the spans are published as signals of ten instances")
	return p
}
