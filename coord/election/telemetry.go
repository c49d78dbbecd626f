// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

const scope = "github.com/otelplat/platform/coord/election"

func emit(ctx context.Context, event string, severity log.Severity, name string, me Candidate, term int64) {
	var r log.Record
	r.SetEventName(event)
	r.SetSeverity(severity)
	r.AddAttributes(attribute.String(semconv.ElectionName, name), attribute.String(semconv.ElectionCandidate, me.ID),
		attribute.Int64(semconv.ElectionTerm, term))
	otel.GetLoggerProvider().Logger(scope).Emit(ctx, r)
}

// led tells that a candidate leads.
func led(ctx context.Context, name string, me Candidate, l *Leadership) {
	emit(ctx, semconv.EventElectionLead, log.SeverityInfo, name, me, l.Token().Revision)
}

// watch tells when the leadership ends, unless the elector is closed.
func watch(name string, me Candidate, l *Leadership, closed <-chan struct{}) {
	select {
	case <-l.Lost():
	case <-closed:
	}
	emit(context.Background(), semconv.EventElectionEnd, log.SeverityInfo, name, me, l.Token().Revision)
}
