// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"context"
	"runtime"
	"sync"

	"github.com/otelplat/platform/internal/loadreport"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// server counts what the instrumented servers of this process do. It tells it on the
// signal meter, once a second: with the process's CPU time it gives the fleet the
// instance's service demand and effective parallelism. And it tells it to who asks, in
// load reports. Nothing is told before a server is instrumented.
type server struct {
	meters  metric.MeterProvider
	options []loadreport.Option // of tests
	quiet   bool                // no load reports
	once    sync.Once
	base    loadreport.CPUTime // when the first server was instrumented
	load    *loadreport.Server // from then on
}

// begin makes the count and registers the instruments, once.
func (s *server) begin() {
	s.once.Do(func() {
		s.base, _ = loadreport.ProcessCPUTime()
		s.load = loadreport.NewServer(s.options...)
		if err := s.register(); err != nil {
			otel.Handle(err) // a service does not fail for its telemetry
		}
	})
}

func (s *server) register() error {
	meter := s.meters.Meter(semconv.ServerScope)
	_, ok := loadreport.ProcessCPUTime()
	requests, err := meter.Int64ObservableCounter(semconv.ServerRequests, metric.WithUnit("{request}"),
		metric.WithDescription("Requests that the instrumented servers completed"))
	if err != nil {
		return err
	}
	inTime, err := meter.Float64ObservableCounter(semconv.ServerTime, metric.WithUnit("s"),
		metric.WithDescription("Time that those requests took together"))
	if err != nil {
		return err
	}
	limit, err := meter.Int64ObservableUpDownCounter("go.processor.limit", metric.WithUnit("{thread}"),
		metric.WithDescription("The number of OS threads that can execute user-level Go code simultaneously"))
	if err != nil {
		return err
	}
	cpu, err := meter.Float64ObservableCounter("process.cpu.time", metric.WithUnit("s"),
		metric.WithDescription("Total CPU seconds broken down by different states"))
	if err != nil {
		return err
	}
	user := metric.WithAttributes(attribute.String("cpu.mode", "user"))
	system := metric.WithAttributes(attribute.String("cpu.mode", "system"))
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		completed, took := s.load.Totals()
		o.ObserveInt64(requests, completed)
		o.ObserveFloat64(inTime, took.Seconds())
		o.ObserveInt64(limit, int64(runtime.GOMAXPROCS(0)))
		if now, _ := loadreport.ProcessCPUTime(); ok {
			o.ObserveFloat64(cpu, (now.User - s.base.User).Seconds(), user)
			o.ObserveFloat64(cpu, (now.System - s.base.System).Seconds(), system)
		}
		return nil
	}, requests, inTime, limit, cpu)
	return err
}
