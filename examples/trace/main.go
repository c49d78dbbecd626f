// SPDX-License-Identifier: Apache-2.0

// Command trace follows one request through two services and prints the spans that
// the collector received, as the tree that they are.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otelplat/platform/examples/internal/local"
	"github.com/otelplat/platform/otelplat"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	oteltrace "go.opentelemetry.io/otel/trace"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("trace", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	collector, stop, err := local.StartCollector(ctx) // a deployment sets OTEL_EXPORTER_OTLP_ENDPOINT
	if err != nil {
		return err
	}
	defer stop()
	// The one call. Both services of this example are in one process and share it.
	t, err := otelplat.Start(ctx, otelplat.WithServiceName("shop"))
	if err != nil {
		return err
	}
	err = shop(ctx, t)
	// Spans wait in a queue. Shutdown sends what is there, for as long as its context
	// allows; one that has ended already would lose them.
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := errors.Join(err, t.Shutdown(flush)); err != nil {
		return err
	}
	collector.PrintSpans(out)
	return nil
}

// shop serves an inventory and asks it for one item.
func shop(ctx context.Context, t *otelplat.Telemetry) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stock/{item}", func(w http.ResponseWriter, r *http.Request) {
		// The request's context carries the span of the server: what begins with it is
		// a child of it, and what forgets to pass it on is a trace of its own.
		_, span := otel.Tracer("inventory").Start(r.Context(), "look up",
			oteltrace.WithAttributes(attribute.String("item", r.PathValue("item"))))
		defer span.End()
		fmt.Fprintln(w, "3 in stock")
	})
	// A server span for every request, named after the route that matched.
	address, stop, err := local.Serve(ctx, t.HTTPHandler(mux, "inventory"))
	if err != nil {
		return err
	}
	defer stop()

	// A client span for every request, and the trace's id in its headers.
	client := &http.Client{Transport: t.HTTPTransport(nil)}
	defer client.CloseIdleConnections()
	ctx, span := otel.Tracer("storefront").Start(ctx, "place order")
	defer span.End()
	_, _, err = local.Get(ctx, client, "http://"+address+"/stock/teapot", "")
	return err
}
