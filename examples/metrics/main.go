// SPDX-License-Identifier: Apache-2.0

// Command metrics counts and measures at the cost of an atomic addition, and shows the
// same numbers to both worlds: over OTLP beside OpenTelemetry's own metrics, and to
// Prometheus on /metrics.
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
	"regexp"
	"strings"
	"syscall"

	"github.com/otelplat/platform/examples/internal/local"
	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/metrics"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
)

// scope is whose instrument it is, in a line for Prometheus.
var scope = regexp.MustCompile(`\{otel_scope_[^}]*\}`)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		slog.Error("metrics", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	collector, stop, err := local.StartCollector(ctx)
	if err != nil {
		return err
	}
	defer stop()
	set := metrics.NewSet()
	scrape, err := metrics.NewScrape(set)
	if err != nil {
		return err
	}
	telemetry, err := otelplat.Start(ctx, otelplat.WithServiceName("orders"), otelplat.WithConsole(io.Discard), otelplat.WithoutRuntimeMetrics(),
		otelplat.WithMetricProducer(set), otelplat.WithMetricReader(scrape.Reader()))
	if err != nil {
		return err
	}
	address, end, err := local.Serve(ctx, scrape)
	if err != nil {
		return errors.Join(err, telemetry.Shutdown(ctx))
	}
	defer end()

	// Instruments are made once and kept: what the hot path does is an addition.
	placed := metrics.Must(set.Counter("shop.orders.placed", metrics.WithUnit("{order}"), metrics.With(attribute.String("item", "book"))))
	open := metrics.Must(set.Gauge("shop.orders.open", metrics.WithUnit("{order}")))
	took := metrics.Must(set.Histogram("shop.order.duration", metrics.WithUnit("s")))
	for i := range 100 {
		placed.Inc()
		open.Inc()
		took.Record(float64(i+1) / 1000) // 1 to 100 ms
	}
	placed.Dec() // one was a mistake
	open.Set(42)

	// A library that knows nothing of the set keeps its OpenTelemetry instruments.
	calls, err := otel.Meter("shop").Int64Counter("shop.calls")
	if err != nil {
		return errors.Join(err, telemetry.Shutdown(ctx))
	}
	calls.Add(ctx, 7)

	_, page, err := local.Get(ctx, http.DefaultClient, "http://"+address+"/metrics", "")
	if err != nil {
		return errors.Join(err, telemetry.Shutdown(ctx))
	}
	fmt.Fprintln(out, "on /metrics:")
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "shop_") && !strings.Contains(line, "_bucket") {
			fmt.Fprint(out, "  ", scope.ReplaceAllString(line, ""))
		}
	}

	if err := telemetry.Shutdown(ctx); err != nil { // exports what there is
		return err
	}
	fmt.Fprintln(out, "over OTLP:")
	for _, p := range collector.Metrics() {
		if strings.HasPrefix(p, "shop.") {
			fmt.Fprintln(out, "  "+p)
		}
	}
	return nil
}
