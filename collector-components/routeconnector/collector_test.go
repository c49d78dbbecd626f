// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

const pipelinesOfACollector = `yaml:
receivers: {feed: }
exporters: {sink/hot: , sink/cold: , sink/audit: }
connectors:
  otelplat_route:
    default: [traces/hot]
    routes: {cold: [traces/cold], audit: [traces/hot, traces/audit]}
service:
  telemetry: {metrics: {level: none}, logs: {level: error}}
  pipelines:
    traces: {receivers: [feed], exporters: [otelplat_route]}
    traces/hot: {receivers: [otelplat_route], exporters: [sink/hot]}
    traces/cold: {receivers: [otelplat_route], exporters: [sink/cold]}
    traces/audit: {receivers: [otelplat_route], exporters: [sink/audit]}
`

// nothing is a component without a life of its own.
type nothing struct {
	component.StartFunc
	component.ShutdownFunc
}

type sink struct {
	nothing
	consumer.Traces
}

func TestACollectorSendsEachSpanToThePipelinesOfItsRoute(t *testing.T) {
	feed := make(chan consumer.Traces, 1)
	came := make(map[string]string) // written by ConsumeTraces, whose caller the test is
	noConfig := func() component.Config { return &struct{}{} }
	receivers := receiver.NewFactory(component.MustNewType("feed"), noConfig, receiver.WithTraces(
		func(_ context.Context, _ receiver.Settings, _ component.Config, next consumer.Traces) (receiver.Traces, error) {
			feed <- next
			return nothing{}, nil
		}, component.StabilityLevelDevelopment))
	exporters := exporter.NewFactory(component.MustNewType("sink"), noConfig, exporter.WithTraces(
		func(_ context.Context, set exporter.Settings, _ component.Config) (exporter.Traces, error) {
			c, err := consumer.NewTraces(func(_ context.Context, td ptrace.Traces) error {
				for _, rs := range td.ResourceSpans().All() {
					for _, ss := range rs.ScopeSpans().All() {
						for _, span := range ss.Spans().All() {
							came[set.ID.Name()] += span.Name()
						}
					}
				}
				return nil
			})
			return sink{Traces: c}, err
		}, component.StabilityLevelDevelopment))
	collector, err := otelcol.NewCollector(otelcol.CollectorSettings{
		Factories: func() (otelcol.Factories, error) {
			return otelcol.Factories{
				Receivers:  map[component.Type]receiver.Factory{receivers.Type(): receivers},
				Exporters:  map[component.Type]exporter.Factory{exporters.Type(): exporters},
				Connectors: map[component.Type]connector.Factory{NewFactory().Type(): NewFactory()},
				Telemetry:  otelconftelemetry.NewFactory(),
			}, nil
		},
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: []string{pipelinesOfACollector}, ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()},
		}},
		DisableGracefulShutdown: true, SkipSettingGRPCLogger: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- collector.Run(ctx) }()
	var next consumer.Traces
	select {
	case next = <-feed:
	case err := <-done:
		t.Fatal(err)
	}
	if err := next.ConsumeTraces(t.Context(), tracesOf(mixed)); err != nil {
		t.Error(err)
	}
	want := map[string]string{"hot": "bij" + "dh", "cold": "acefg", "audit": "dh"}
	for name, spans := range want {
		if came[name] != spans {
			t.Errorf("%s took %q, expected %q", name, came[name], spans)
		}
	}
	cancel()
	if err := <-done; err != nil && !strings.Contains(err.Error(), "context canceled") {
		t.Error(err)
	}
}
