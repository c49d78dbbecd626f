// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/otelplat/platform/otelplat/logging"
	"go.opentelemetry.io/otel/log/noop"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Each line carries the trace that it belongs to, if it is given the context.
func ExampleNew() {
	var console bytes.Buffer // os.Stderr in a service
	level := &slog.LevelVar{}
	logger := slog.New(logging.New(&console, noop.NewLoggerProvider(), "orders", level))

	ctx, span := sdktrace.NewTracerProvider().Tracer("orders").Start(context.Background(), "place order")
	defer span.End()
	logger.DebugContext(ctx, "not said")
	level.Set(slog.LevelDebug)
	logger.DebugContext(ctx, "said", "order", 7)

	var line map[string]any
	if err := json.Unmarshal(console.Bytes(), &line); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(line["level"], line["msg"], line["order"])
	fmt.Println(line["trace_id"] == span.SpanContext().TraceID().String())

	// Output:
	// DEBUG said 7
	// true
}
