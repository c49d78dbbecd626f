// SPDX-License-Identifier: Apache-2.0

package components

import (
	"context"
	"io"
	"log/slog"

	"github.com/otelplat/platform/collector-components/eventreceiver"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/log/embedded"
)

// Events returns a provider of loggers for the events of the platform, such as
// otelplat.telemetry.govern. They go into the pipeline of the receiver otelplat_events, as
// the default configuration has it, and to w while no such receiver runs: a JSON object a
// line, with the event's name as the message. A collector's telemetry has no provider of
// loggers for its components; a main whose process is the collector makes this the global
// one before [Run], with otel.SetLoggerProvider. It is safe for concurrent use if w is
// written to by nobody else.
func Events(w io.Writer) log.LoggerProvider {
	return eventreceiver.NewProvider(lineProvider{handler: slog.NewJSONHandler(w, nil)})
}

type lineProvider struct {
	embedded.LoggerProvider
	handler slog.Handler
}

func (p lineProvider) Logger(scope string, _ ...log.LoggerOption) log.Logger {
	return lineLogger{log: slog.New(p.handler).With(slog.String("scope", scope))}
}

type lineLogger struct {
	embedded.Logger
	log *slog.Logger
}

// Enabled reports that every event is written; what else is logged goes its own way.
func (l lineLogger) Enabled(_ context.Context, p log.EnabledParameters) bool {
	return p.EventName != "" || p.Severity == log.SeverityUndefined
}

// Emit writes an event.
func (l lineLogger) Emit(ctx context.Context, r log.Record) {
	if r.EventName() == "" {
		return
	}
	attrs := make([]slog.Attr, 0, r.AttributesLen())
	for kv := range r.WalkAttributes {
		attrs = append(attrs, slog.Any(string(kv.Key), kv.Value.AsInterface()))
	}
	l.log.LogAttrs(ctx, level(r.Severity()), r.EventName(), attrs...)
}

func level(s log.Severity) slog.Level {
	switch {
	case s >= log.SeverityError:
		return slog.LevelError
	case s >= log.SeverityWarn:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
