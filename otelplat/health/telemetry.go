// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

const scope = "github.com/otelplat/platform/otelplat/health"

// telemetry reports the checks.
type telemetry struct {
	failures metric.Int64Counter
	observer metric.Registration
}

func newTelemetry(c *Checks) *telemetry {
	provider := c.meters
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	m := provider.Meter(scope)
	var errs [4]error
	t := &telemetry{}
	t.failures, errs[0] = m.Int64Counter(semconv.HealthFailures, metric.WithUnit("{failure}"),
		metric.WithDescription("Runs of health checks that failed, by check and reason"))
	status, err := m.Int64ObservableGauge(semconv.HealthStatus, metric.WithUnit("1"),
		metric.WithDescription("1 while a check is up, 0 while it is down"))
	errs[1] = err
	age, err := m.Float64ObservableGauge(semconv.HealthAge, metric.WithUnit("s"),
		metric.WithDescription("Age of a check's last result"))
	errs[2] = err
	t.observer, errs[3] = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		r, now := c.Report(), time.Now()
		for i := range r.Checks {
			k := &r.Checks[i]
			if k.At.IsZero() {
				continue
			}
			name := metric.WithAttributes(attribute.String(semconv.HealthCheck, k.Name), attribute.String(semconv.HealthSeverity, string(k.Severity)))
			up := int64(0)
			if k.Status == Up {
				up = 1
			}
			o.ObserveInt64(status, up, name)
			o.ObserveFloat64(age, now.Sub(k.At).Seconds(), name)
		}
		return nil
	}, status, age)
	if err := errors.Join(errs[:]...); err != nil {
		otel.Handle(err)
		t.failures = noop.Int64Counter{}
	}
	return t
}

func (t *telemetry) close() {
	if t.observer != nil {
		if err := t.observer.Unregister(); err != nil {
			otel.Handle(err)
		}
	}
}

func (t *telemetry) failed(check, reason string) {
	t.failures.Add(context.Background(), 1, metric.WithAttributes(
		attribute.String(semconv.HealthCheck, check), attribute.String(semconv.HealthReason, reason)))
}

// changed tells of another status.
func (t *telemetry) changed(c change) {
	var r log.Record
	r.SetEventName(semconv.EventHealthChange)
	r.SetSeverity(log.SeverityInfo)
	if c.to == Down || c.to == Impaired {
		r.SetSeverity(log.SeverityWarn)
	}
	r.AddAttributes(attribute.String(semconv.HealthCheck, c.check),
		attribute.String(semconv.HealthFrom, string(c.from)), attribute.String(semconv.HealthTo, string(c.to)))
	if c.text != "" {
		r.AddAttributes(attribute.String("error.message", c.text))
	}
	otel.GetLoggerProvider().Logger(scope).Emit(context.Background(), r)
}
