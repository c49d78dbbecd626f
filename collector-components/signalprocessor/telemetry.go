// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/metadata"
	"github.com/otelplat/platform/collector-components/signalprocessor/internal/publish"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// source says who measured, for the counter of measurements.
type source uint8

const (
	fromRouter source = iota
	fromMetrics
	fromSpans
	fromServer
	numSources
)

var sourceNames = [numSources]string{"router", "metrics", "spans", "server"}

// reason says what became of a measurement.
type reason uint8

const (
	taken           reason = iota
	unauthenticated        // nobody vouches for the sender
	badForm                // not what the name and the unit promise
	badName                // service or instance cannot be one
	absurd                 // counts or times that no measurement gives
	badClock               // times that cannot be right
	full                   // beyond the bound of instances, series or callers
	unannounced            // beyond the bound of instances that discovery does not know
	routes                 // beyond the bound of a service's routes; taken for all but its route
	preferred              // a better source tells of the same requests
	unknownAddress         // no announced instance serves there
	baseline               // the first point of a cumulative series
	foreign                // a report of a server by somebody else
	numReasons
)

var reasonNames = [numReasons]string{
	"taken", "unauthenticated", "form", "name", "absurd", "clock", "full", "unannounced", "routes", "preferred", "address", "baseline", "foreign",
}

// sourceAttribute is the attribute beside the reason.
const sourceAttribute = "source"

// counted are the attributes of each, so that counting makes none.
var counted = func() (all [numSources][numReasons][]metric.AddOption) {
	for s, source := range sourceNames {
		for r, reason := range reasonNames {
			all[s][r] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(
				attribute.String(semconv.CollectorReason, reason), attribute.String(sourceAttribute, source)))}
		}
	}
	return all
}()

// telemetry is what the processor tells of itself, with the collector's own telemetry.
type telemetry struct{ *metadata.TelemetryBuilder }

func newTelemetry(set component.TelemetrySettings) (*telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	return &telemetry{b}, err
}

// took counts one export.
func (t *telemetry) took(ctx context.Context, b *batch, e *engine) {
	some := false
	for s := range b.counts {
		for r, n := range b.counts[s] {
			if n > 0 {
				t.ProcessorSignalMeasurements.Add(ctx, n, counted[s][r]...)
				some = true
			}
		}
	}
	if some {
		t.ProcessorSignalInstances.Record(ctx, e.instances.Load())
		t.ProcessorSignalSeries.Record(ctx, e.seriesKept.Load())
	}
}

func (t *telemetry) stats() publish.Stats {
	ctx := context.Background()
	return publish.Stats{
		Put: func(n int) {
			t.ProcessorSignalPuts.Add(ctx, 1)
			t.ProcessorSignalPutBytes.Add(ctx, int64(n))
		},
		Deleted:   func(n int) { t.ProcessorSignalDeletes.Add(ctx, int64(n)) },
		Throttled: func(n int) { t.ProcessorSignalThrottled.Add(ctx, int64(n)) },
		Failed:    func(error) { t.ProcessorSignalErrors.Add(ctx, 1) },
	}
}
