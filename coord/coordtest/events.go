// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"slices"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log/logtest"
)

// Recorded are the OpenTelemetry events of a test.
type Recorded struct{ recorder *logtest.Recorder }

// Events records the events of this process until the test ends. The test must not run in
// parallel to others: the provider is the process's.
func Events(t *testing.T) Recorded {
	before := otel.GetLoggerProvider()
	r := Recorded{logtest.NewRecorder()}
	otel.SetLoggerProvider(r.recorder)
	t.Cleanup(func() { otel.SetLoggerProvider(before) })
	return r
}

// Wait waits for an event that has an attribute with a value.
func (r Recorded) Wait(t *testing.T, event, value string) {
	t.Helper()
	Eventually(t, patience, func() bool { return r.Count(event, value) > 0 }, "event %s of %s", event, value)
}

// Count returns how many events of a name have an attribute with a value.
func (r Recorded) Count(event, value string) int {
	n := 0
	for _, records := range r.recorder.Result() {
		for _, rec := range records {
			if rec.EventName != event {
				continue
			}
			for _, a := range slices.Clone(rec.Attributes) {
				if a.Value.AsString() == value {
					n++
				}
			}
		}
	}
	return n
}
