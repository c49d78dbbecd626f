// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"
	"errors"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/publish"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scope = "github.com/otelplat/platform/collector-components/signalprocessor"

// telemetry is what the processor tells of itself, with the collector's own
// telemetry.
type telemetry struct {
	measurements, puts, bytes, deletes, throttled, errors metric.Int64Counter
	instances                                             metric.Int64Gauge
}

func newTelemetry(mp metric.MeterProvider) (*telemetry, error) {
	m := mp.Meter(scope)
	var errs []error
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	t := &telemetry{
		measurements: counter(semconv.SignalMeasurements, "{measurement}", "Measurements of routers, by outcome: taken, or why not"),
		puts:         counter(semconv.SignalPuts, "{share}", "Shares written to etcd"),
		bytes:        counter(semconv.SignalBytes, "By", "Bytes of shares written to etcd"),
		deletes:      counter(semconv.SignalDeletes, "{share}", "Shares deleted from etcd"),
		throttled:    counter(semconv.SignalThrottled, "{share}", "Shares that had to wait for the bucket of writes"),
		errors:       counter(semconv.SignalErrors, "{error}", "Writes to etcd that failed"),
	}
	gauge, err := m.Int64Gauge(semconv.SignalInstances, metric.WithUnit("{instance}"), metric.WithDescription("Instances that are known"))
	t.instances = gauge
	return t, errors.Join(append(errs, err)...)
}

// took counts one export.
func (t *telemetry) took(ctx context.Context, taken int64, refused map[string]int64, instances int) {
	if taken > 0 {
		t.measurements.Add(ctx, taken, metric.WithAttributes(attribute.String(semconv.CollectorReason, "taken")))
	}
	for reason, n := range refused {
		t.measurements.Add(ctx, n, metric.WithAttributes(attribute.String(semconv.CollectorReason, reason)))
	}
	t.instances.Record(ctx, int64(instances))
}

func (t *telemetry) stats() publish.Stats {
	ctx := context.Background()
	return publish.Stats{
		Put:       func(n int) { t.puts.Add(ctx, 1); t.bytes.Add(ctx, int64(n)) },
		Deleted:   func(n int) { t.deletes.Add(ctx, int64(n)) },
		Throttled: func(n int) { t.throttled.Add(ctx, int64(n)) },
		Failed:    func(error) { t.errors.Add(ctx, 1) },
	}
}
