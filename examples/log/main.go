// SPDX-License-Identifier: Apache-2.0

// Command log writes with log/slog and nothing else: each line is on the console and
// in OTLP, with the trace that it belongs to, and the level changes while the program
// runs.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otelplat/platform/examples/internal/local"
	"github.com/otelplat/platform/otelplat"
	"go.opentelemetry.io/otel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("log", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	collector, stop, err := local.StartCollector(ctx) // a deployment sets OTEL_EXPORTER_OTLP_ENDPOINT
	if err != nil {
		return err
	}
	defer stop()
	// Start makes slog's default logger. The console is standard error otherwise; on a
	// terminal it shows text, elsewhere JSON lines.
	t, err := otelplat.Start(ctx, otelplat.WithServiceName("orders"), otelplat.WithConsole(out))
	if err != nil {
		return err
	}
	traceID := work(ctx, t)
	// Records wait in a queue. Shutdown sends what is there, for as long as its context
	// allows; one that has ended already would lose them.
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := t.Shutdown(flush); err != nil {
		return err
	}

	fmt.Fprintln(out, "\nwhat the collector received:")
	for _, r := range collector.Logs() {
		place := "in no trace"
		if hex.EncodeToString(r.TraceId) == traceID {
			place = "in the trace of the order"
		}
		fmt.Fprintf(out, "%-5s %s, %s\n", r.SeverityText, r.Body.GetStringValue(), place)
	}
	return nil
}

// work logs as a service does, and returns the id of its trace.
func work(ctx context.Context, t *otelplat.Telemetry) string {
	slog.Info("ready") // without a context there is no trace to belong to

	ctx, span := otel.Tracer("orders").Start(ctx, "place order")
	defer span.End()
	// With takes what all lines of this order have in common.
	log := slog.With("order", 7)
	log.InfoContext(ctx, "placed", slog.Group("customer", "id", "c-12", "country", "NZ"))
	log.DebugContext(ctx, "not said: the level is info")

	// An operator wants to know more, for a while.
	t.SetLevel(slog.LevelDebug)
	log.DebugContext(ctx, "looked up", "took", 3*time.Millisecond)
	t.SetLevel(slog.LevelInfo)

	log.ErrorContext(ctx, "charge failed", "error", errors.New("card declined"))
	return span.SpanContext().TraceID().String()
}
