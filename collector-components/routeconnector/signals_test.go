// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"context"
	"testing"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
)

// What a test says of a batch, whatever its signal.
type (
	resource struct {
		name, route string // "" for none
		scopes      []scope
	}
	scope struct {
		name  string
		items []item
	}
	item struct{ name, route string }
)

// line is an item as it came out: where it was, and whether it still names a route.
type line struct {
	resource, scope, item string
	named                 bool
}

// subject runs the connector of one signal.
type subject struct {
	// consume sends a batch.
	consume func(ctx context.Context, batch []resource) error
}

// open returns the connector of a signal, in front of pipelines that call took with what
// came in, and answer with its error.
type open func(t testing.TB, set component.TelemetrySettings, cfg *Config, pipelines []string, took func(pipeline string, lines []line) error) (subject, error)

var signals = map[string]open{"traces": openTraces, "metrics": openMetrics, "logs": openLogs}

func settings(tel component.TelemetrySettings) connector.Settings {
	set := connectortest.NewNopSettings(NewFactory().Type())
	set.TelemetrySettings = tel
	return set
}

func name(attributes pcommon.Map, name, route string) {
	attributes.PutStr("first", "stays")
	if route != "" {
		attributes.PutStr(semconv.TelemetryRoute, route)
	}
	if name != "" {
		attributes.PutStr("name", name)
	}
}

func named(maps ...pcommon.Map) bool {
	for _, m := range maps {
		if _, ok := m.Get(semconv.TelemetryRoute); ok {
			return true
		}
	}
	return false
}

func text(m pcommon.Map) string {
	v, _ := m.Get("name")
	return v.Str()
}

func tracesOf(batch []resource) ptrace.Traces {
	td := ptrace.NewTraces()
	for _, r := range batch {
		rs := td.ResourceSpans().AppendEmpty()
		name(rs.Resource().Attributes(), r.name, r.route)
		rs.SetSchemaUrl("schema of " + r.name)
		for _, s := range r.scopes {
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(s.name)
			ss.SetSchemaUrl("schema of " + s.name)
			for _, i := range s.items {
				span := ss.Spans().AppendEmpty()
				span.SetName(i.name)
				name(span.Attributes(), "", i.route)
			}
		}
	}
	return td
}

func openTraces(t testing.TB, set component.TelemetrySettings, cfg *Config, pipelines []string, took func(string, []line) error) (subject, error) {
	next := make(map[pipeline.ID]consumer.Traces)
	for _, p := range pipelines {
		c, err := consumer.NewTraces(func(_ context.Context, td ptrace.Traces) error {
			var lines []line
			for _, rs := range td.ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					if rs.SchemaUrl() != "schema of "+text(rs.Resource().Attributes()) || ss.SchemaUrl() != "schema of "+ss.Scope().Name() {
						t.Errorf("schemas are %q and %q", rs.SchemaUrl(), ss.SchemaUrl())
					}
					for _, span := range ss.Spans().All() {
						lines = append(lines, line{text(rs.Resource().Attributes()), ss.Scope().Name(), span.Name(), named(rs.Resource().Attributes(), span.Attributes())})
					}
				}
			}
			return took(p, lines)
		})
		if err != nil {
			return subject{}, err
		}
		next[pipeline.NewIDWithName(pipeline.SignalTraces, p)] = c
	}
	c, err := NewFactory().CreateTracesToTraces(t.Context(), settings(set), cfg, connector.NewTracesRouter(next))
	if err != nil {
		return subject{}, err
	}
	return subject{func(ctx context.Context, b []resource) error { return c.ConsumeTraces(ctx, tracesOf(b)) }}, nil
}

func metricsOf(batch []resource) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for _, r := range batch {
		rm := md.ResourceMetrics().AppendEmpty()
		name(rm.Resource().Attributes(), r.name, r.route)
		rm.SetSchemaUrl("schema of " + r.name)
		for _, s := range r.scopes {
			sm := rm.ScopeMetrics().AppendEmpty()
			sm.Scope().SetName(s.name)
			sm.SetSchemaUrl("schema of " + s.name)
			for _, i := range s.items {
				m := sm.Metrics().AppendEmpty()
				m.SetName(i.name)
				m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
				name(m.Metadata(), "", i.route)
			}
		}
	}
	return md
}

func openMetrics(t testing.TB, set component.TelemetrySettings, cfg *Config, pipelines []string, took func(string, []line) error) (subject, error) {
	next := make(map[pipeline.ID]consumer.Metrics)
	for _, p := range pipelines {
		c, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
			var lines []line
			for _, rm := range md.ResourceMetrics().All() {
				for _, sm := range rm.ScopeMetrics().All() {
					if rm.SchemaUrl() != "schema of "+text(rm.Resource().Attributes()) || sm.SchemaUrl() != "schema of "+sm.Scope().Name() {
						t.Errorf("schemas are %q and %q", rm.SchemaUrl(), sm.SchemaUrl())
					}
					for _, m := range sm.Metrics().All() {
						if m.Gauge().DataPoints().Len() != 1 {
							t.Errorf("%s lost its points", m.Name())
						}
						lines = append(lines, line{text(rm.Resource().Attributes()), sm.Scope().Name(), m.Name(), named(rm.Resource().Attributes(), m.Metadata())})
					}
				}
			}
			return took(p, lines)
		})
		if err != nil {
			return subject{}, err
		}
		next[pipeline.NewIDWithName(pipeline.SignalMetrics, p)] = c
	}
	c, err := NewFactory().CreateMetricsToMetrics(t.Context(), settings(set), cfg, connector.NewMetricsRouter(next))
	if err != nil {
		return subject{}, err
	}
	return subject{func(ctx context.Context, b []resource) error { return c.ConsumeMetrics(ctx, metricsOf(b)) }}, nil
}

func logsOf(batch []resource) plog.Logs {
	ld := plog.NewLogs()
	for _, r := range batch {
		rl := ld.ResourceLogs().AppendEmpty()
		name(rl.Resource().Attributes(), r.name, r.route)
		rl.SetSchemaUrl("schema of " + r.name)
		for _, s := range r.scopes {
			sl := rl.ScopeLogs().AppendEmpty()
			sl.Scope().SetName(s.name)
			sl.SetSchemaUrl("schema of " + s.name)
			for _, i := range s.items {
				record := sl.LogRecords().AppendEmpty()
				record.SetEventName(i.name)
				name(record.Attributes(), "", i.route)
			}
		}
	}
	return ld
}

func openLogs(t testing.TB, set component.TelemetrySettings, cfg *Config, pipelines []string, took func(string, []line) error) (subject, error) {
	next := make(map[pipeline.ID]consumer.Logs)
	for _, p := range pipelines {
		c, err := consumer.NewLogs(func(_ context.Context, ld plog.Logs) error {
			var lines []line
			for _, rl := range ld.ResourceLogs().All() {
				for _, sl := range rl.ScopeLogs().All() {
					if rl.SchemaUrl() != "schema of "+text(rl.Resource().Attributes()) || sl.SchemaUrl() != "schema of "+sl.Scope().Name() {
						t.Errorf("schemas are %q and %q", rl.SchemaUrl(), sl.SchemaUrl())
					}
					for _, record := range sl.LogRecords().All() {
						lines = append(lines, line{text(rl.Resource().Attributes()), sl.Scope().Name(), record.EventName(), named(rl.Resource().Attributes(), record.Attributes())})
					}
				}
			}
			return took(p, lines)
		})
		if err != nil {
			return subject{}, err
		}
		next[pipeline.NewIDWithName(pipeline.SignalLogs, p)] = c
	}
	c, err := NewFactory().CreateLogsToLogs(t.Context(), settings(set), cfg, connector.NewLogsRouter(next))
	if err != nil {
		return subject{}, err
	}
	return subject{func(ctx context.Context, b []resource) error { return c.ConsumeLogs(ctx, logsOf(b)) }}, nil
}
