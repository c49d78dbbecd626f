// SPDX-License-Identifier: Apache-2.0

package versioned

import (
	"context"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scope = "github.com/otelplat/platform/coord/versioned"

// telemetry says what a follower holds, through the global provider.
type telemetry struct{ registration metric.Registration }

// observe begins to say it. A follower does not fail for its telemetry.
func observe(f *Follower) telemetry {
	meter := otel.Meter(scope)
	revision, err := meter.Int64ObservableGauge(semconv.VersionedRevision, metric.WithUnit("{revision}"),
		metric.WithDescription("Revision of the document that this process holds, 0 for none"))
	if err != nil {
		otel.Handle(err)
		return telemetry{}
	}
	age, err := meter.Float64ObservableGauge(semconv.VersionedAge, metric.WithUnit("s"),
		metric.WithDescription("Time since the document that this process holds was known to be the newest"))
	if err != nil {
		otel.Handle(err)
		return telemetry{}
	}
	attributes := metric.WithAttributeSet(attribute.NewSet(
		attribute.String(semconv.VersionedFamily, string(f.store.family)), attribute.String(semconv.VersionedDocument, f.name)))
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		held, _ := f.Current()
		o.ObserveInt64(revision, held.Revision.Number, attributes)
		o.ObserveFloat64(age, f.Age().Seconds(), attributes)
		return nil
	}, revision, age)
	if err != nil {
		otel.Handle(err)
		return telemetry{}
	}
	return telemetry{registration}
}

func (t *telemetry) end() {
	if t.registration != nil {
		if err := t.registration.Unregister(); err != nil {
			otel.Handle(err)
		}
	}
}
