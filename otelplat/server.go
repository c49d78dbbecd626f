// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/stats"
)

// server counts what the instrumented servers of this process do, and tells it on the
// signal meter: with the process's CPU time it gives the fleet the instance's service
// demand and effective parallelism. Nothing is told before a server is instrumented.
type server struct {
	meters metric.MeterProvider
	once   sync.Once
	base   cpuTime // when the first server was instrumented

	mu       sync.Mutex
	requests int64
	inFlight int64
	inTime   time.Duration // of all requests together, up to last
	last     time.Time
}

// cpuTime is what a process used.
type cpuTime struct{ user, system time.Duration }

// move brings the time in requests up to now, and changes their number.
func (s *server) move(completed, inFlight int64) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if since := now.Sub(s.last); since > 0 {
		s.inTime += time.Duration(s.inFlight) * since
		s.last = now
	}
	s.requests += completed
	s.inFlight += inFlight
}

func (s *server) begin() { s.move(0, 1) }
func (s *server) end()   { s.move(1, -1) }

// tell registers the instruments, once.
func (s *server) tell() {
	s.once.Do(func() {
		s.last = time.Now()
		s.base, _ = processCPUTime()
		if err := s.register(); err != nil {
			otel.Handle(err) // a service does not fail for its telemetry
		}
	})
}

func (s *server) register() error {
	meter := s.meters.Meter(semconv.ServerScope)
	_, ok := processCPUTime()
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
		s.move(0, 0)
		s.mu.Lock()
		o.ObserveInt64(requests, s.requests)
		o.ObserveFloat64(inTime, s.inTime.Seconds())
		s.mu.Unlock()
		o.ObserveInt64(limit, int64(runtime.GOMAXPROCS(0)))
		if now, _ := processCPUTime(); ok {
			o.ObserveFloat64(cpu, (now.user - s.base.user).Seconds(), user)
			o.ObserveFloat64(cpu, (now.system - s.base.system).Seconds(), system)
		}
		return nil
	}, requests, inTime, limit, cpu)
	return err
}

// http counts the requests of a handler.
func (s *server) http(h http.Handler) http.Handler {
	s.tell()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.begin()
		defer s.end()
		h.ServeHTTP(w, r)
	})
}

// grpc counts the calls that a stats handler hears of.
func (s *server) grpc(h stats.Handler) stats.Handler {
	s.tell()
	return countedCalls{h, s}
}

type countedCalls struct {
	stats.Handler
	server *server
}

func (c countedCalls) HandleRPC(ctx context.Context, rs stats.RPCStats) {
	switch rs.(type) {
	case *stats.Begin:
		c.server.begin()
	case *stats.End:
		c.server.end()
	}
	c.Handler.HandleRPC(ctx, rs)
}
