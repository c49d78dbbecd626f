// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/otelplat/platform/otelplat/logging"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
)

// records keeps what reaches OTLP.
type records struct {
	sdklog.Processor
	list []sdklog.Record
}

func (r *records) OnEmit(_ context.Context, record *sdklog.Record) error {
	r.list = append(r.list, record.Clone())
	return nil
}
func (r *records) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (r *records) Shutdown(context.Context) error                         { return nil }
func (r *records) ForceFlush(context.Context) error                       { return nil }

func newLogger(t *testing.T, level slog.Leveler) (*slog.Logger, *bytes.Buffer, *records) {
	t.Helper()
	var console bytes.Buffer
	kept := &records{}
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(kept))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return slog.New(logging.New(&console, provider, "test", level)), &console, kept
}

func spanContext() (context.Context, trace.SpanContext) {
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	return trace.ContextWithSpanContext(context.Background(), sc), sc
}

func TestALineInsideASpanCarriesItsIDsOnBothSides(t *testing.T) {
	logger, console, otlp := newLogger(t, slog.LevelInfo)
	ctx, sc := spanContext()
	logger.With("a", 1).InfoContext(ctx, "hello", "b", "two")
	var line map[string]any
	if err := json.Unmarshal(console.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["trace_id"] != sc.TraceID().String() || line["span_id"] != sc.SpanID().String() || line["msg"] != "hello" || line["b"] != "two" {
		t.Errorf("console: %v", line)
	}
	if len(otlp.list) != 1 || otlp.list[0].TraceID() != sc.TraceID() || otlp.list[0].SpanID() != sc.SpanID() || otlp.list[0].Body().AsString() != "hello" {
		t.Errorf("OTLP: %d records", len(otlp.list))
	}
	console.Reset()
	logger.Info("outside")
	if strings.Contains(console.String(), "trace_id") {
		t.Errorf("outside of a span: %s", console)
	}
}

func TestTheLevelHoldsOnBothSidesAndMayChange(t *testing.T) {
	var level slog.LevelVar
	logger, console, otlp := newLogger(t, &level)
	logger.Debug("no")
	level.Set(slog.LevelDebug)
	logger.Debug("yes")
	level.Set(slog.LevelError)
	logger.WithGroup("g").With("k", "v").Warn("no")
	if got := strings.Count(console.String(), "\n"); got != 1 || len(otlp.list) != 1 {
		t.Errorf("%d lines and %d records, want one of each: %s", got, len(otlp.list), console)
	}
}

func TestWhatIsTooLongIsCutAtACharacter(t *testing.T) {
	logger, console, otlp := newLogger(t, slog.LevelInfo)
	long := strings.Repeat("ä", logging.MaxMessage)
	logger.With("with", long).Info(long, "text", long, "error", errors.New(long), "group", slog.GroupValue(slog.String("in", long)), "short", "kept")
	if n := console.Len(); n > logging.MaxMessage+5*logging.MaxValue+1000 {
		t.Errorf("a line of %d bytes", n)
	}
	if !utf8.Valid(console.Bytes()) || !strings.Contains(console.String(), `"short":"kept"`) {
		t.Error("not cut at a character, or what fits was cut too")
	}
	body := otlp.list[0].Body().AsString()
	if len(body) > logging.MaxMessage || !strings.HasSuffix(body, "…[cut]") {
		t.Errorf("a body of %d bytes that ends with %q", len(body), body[len(body)-10:])
	}
	otlp.list[0].WalkAttributes(func(kv attribute.KeyValue) bool {
		if n := len(kv.Value.String()); n > logging.MaxValue+64 {
			t.Errorf("attribute %s of %d bytes", kv.Key, n)
		}
		return true
	})
}

func Example() {
	provider := sdklog.NewLoggerProvider() // of otelplat.Start
	logger := slog.New(logging.New(os.Stdout, provider, "example", slog.LevelInfo))
	logger.Debug("not said")
	fmt.Println("done")
	// Output: done
}
