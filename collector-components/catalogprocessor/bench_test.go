// SPDX-License-Identifier: Apache-2.0

package catalogprocessor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/catalogprocessor/internal/catalog"
	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/coord/discovery"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// A batch of 100 resources of 10 items, as a gateway has it behind many agents, against a
// catalogue of 1,000 services with 10 instances each.
const (
	benchServices  = 1000
	benchInstances = 10
	benchResources = 100
	benchItems     = 10
)

func benchConfig(b *testing.B) *Config {
	b.Helper()
	var text strings.Builder
	text.WriteString("services:\n")
	for i := range benchServices {
		fmt.Fprintf(&text, "  service-%d: {owner: o, team: t, tier: \"1\"}\n", i)
	}
	path := filepath.Join(b.TempDir(), "catalogue.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	cfg := createDefaultConfig().(*Config)
	cfg.Document = &document.Config{File: path}
	return cfg
}

// populate puts instances into a catalogue that has no etcd.
func populate(b *testing.B, cfg *Config) {
	b.Helper()
	key, err := cfg.key(settings(componenttest.NewNopTelemetrySettings()).ID.String())
	if err != nil {
		b.Fatal(err)
	}
	c, giveBack, err := catalogues.Take(key, func() (*catalogue, error) { return nil, os.ErrNotExist })
	if err != nil {
		b.Fatal(err)
	}
	defer giveBack()
	d := c.live.Get()
	c.current.Store(catalog.Build(nil, catalog.Source{Document: &d, Required: true, Directory: table(b), Listed: true}))
}

func table(b *testing.B) *discovery.Table {
	b.Helper()
	var list []discovery.Instance
	for i := range benchServices {
		for j := range benchInstances {
			list = append(list, discovery.Instance{
				Service: fmt.Sprint("service-", i), ID: fmt.Sprint("instance-", j), Version: "1.2.3", Zone: "a", Labels: map[string]string{"variant": "stable"},
				Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:80"}},
			})
		}
	}
	t, err := discovery.Static(list...)
	if err != nil {
		b.Fatal(err)
	}
	return t
}

func describe(attributes pcommon.Map, i int) {
	attributes.PutStr("service.name", fmt.Sprint("service-", i*7))
	attributes.PutStr("service.instance.id", fmt.Sprint("instance-", i%benchInstances))
	for j := range 6 {
		attributes.PutStr(fmt.Sprint("host.attribute.", j), "value")
	}
}

func BenchmarkTraces(b *testing.B) {
	cfg := benchConfig(b)
	p, err := NewFactory().CreateTraces(b.Context(), settings(componenttest.NewNopTelemetrySettings()), cfg, consumertest.NewNop())
	started(b, p, err)
	populate(b, cfg)
	td := ptrace.NewTraces()
	for i := range benchResources {
		rs := td.ResourceSpans().AppendEmpty()
		describe(rs.Resource().Attributes(), i)
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		for range benchItems {
			spans.AppendEmpty()
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.ConsumeTraces(context.Background(), td); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchResources*benchItems), "ns/span")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchResources), "ns/resource")
}

func BenchmarkMetrics(b *testing.B) {
	cfg := benchConfig(b)
	p, err := NewFactory().CreateMetrics(b.Context(), settings(componenttest.NewNopTelemetrySettings()), cfg, consumertest.NewNop())
	started(b, p, err)
	populate(b, cfg)
	md := pmetric.NewMetrics()
	for i := range benchResources {
		rm := md.ResourceMetrics().AppendEmpty()
		describe(rm.Resource().Attributes(), i)
		points := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints()
		for range benchItems {
			points.AppendEmpty()
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.ConsumeMetrics(context.Background(), md); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchResources*benchItems), "ns/datapoint")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchResources), "ns/resource")
}

func BenchmarkLogs(b *testing.B) {
	cfg := benchConfig(b)
	p, err := NewFactory().CreateLogs(b.Context(), settings(componenttest.NewNopTelemetrySettings()), cfg, consumertest.NewNop())
	started(b, p, err)
	populate(b, cfg)
	ld := plog.NewLogs()
	for i := range benchResources {
		rl := ld.ResourceLogs().AppendEmpty()
		describe(rl.Resource().Attributes(), i)
		records := rl.ScopeLogs().AppendEmpty().LogRecords()
		for range benchItems {
			records.AppendEmpty()
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.ConsumeLogs(context.Background(), ld); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchResources*benchItems), "ns/record")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchResources), "ns/resource")
}

// BenchmarkFind is the look-up alone, without what is written.
func BenchmarkFind(b *testing.B) {
	s := catalog.Build(nil, catalog.Source{Directory: table(b), Listed: true})
	b.ReportAllocs()
	for b.Loop() {
		if _, in := s.Find("service-777", "instance-7"); in == nil {
			b.Fatal("not found")
		}
	}
}

// BenchmarkBuild is a snapshot after one of 10,000 instances changed.
func BenchmarkBuild(b *testing.B) {
	t := table(b)
	last := catalog.Build(nil, catalog.Source{Directory: t, Listed: true})
	b.ReportAllocs()
	for b.Loop() {
		last = catalog.Build(last, catalog.Source{Directory: t, Listed: true})
	}
}
