// SPDX-License-Identifier: Apache-2.0

package eventreceiver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/collector-components/eventreceiver/internal/metadata"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/log/embedded"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"
)

// lines is a fallback that keeps the names of what it was given.
type lines struct {
	embedded.LoggerProvider
	mu    sync.Mutex
	names []string
}

func (l *lines) Logger(string, ...log.LoggerOption) log.Logger { return &line{lines: l} }

func (l *lines) got() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.names)
}

type line struct {
	embedded.Logger
	lines *lines
}

func (*line) Enabled(context.Context, log.EnabledParameters) bool { return true }

func (l *line) Emit(_ context.Context, r log.Record) {
	l.lines.mu.Lock()
	defer l.lines.mu.Unlock()
	l.lines.names = append(l.lines.names, r.EventName())
}

// process makes a provider the global one for a test.
func process(t *testing.T) *lines {
	t.Helper()
	before, fallback := otel.GetLoggerProvider(), &lines{}
	otel.SetLoggerProvider(NewProvider(fallback))
	t.Cleanup(func() { otel.SetLoggerProvider(before) })
	return fallback
}

func emit(ctx context.Context, name string, attributes ...attribute.KeyValue) {
	var r log.Record
	r.SetEventName(name)
	r.SetSeverity(log.SeverityWarn)
	r.AddAttributes(attributes...)
	otel.GetLoggerProvider().Logger("the scope", log.WithInstrumentationVersion("1.2")).Emit(ctx, r)
}

// started is a receiver that runs.
type started struct {
	*eventReceiver
	t         *testing.T
	telemetry *componenttest.Telemetry
}

func start(t *testing.T, next consumer.Logs, change func(*Config)) *started {
	t.Helper()
	cfg := defaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	set := receivertest.NewNopSettings(metadata.Type)
	telemetry := componenttest.NewTelemetry()
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	set.Resource.Attributes().PutStr("service.name", "otelplat-collector")
	r, err := newReceiver(set, cfg, next)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.Shutdown(context.Background()), telemetry.Shutdown(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return &started{r, t, telemetry}
}

// end shuts it down: what was emitted before is through the pipeline.
func (s *started) end() {
	s.t.Helper()
	if err := s.Shutdown(s.t.Context()); err != nil {
		s.t.Error(err)
	}
}

func (s *started) expectMissed(want map[string]int64) {
	s.t.Helper()
	got := make(map[string]int64)
	if m, err := s.telemetry.GetMetric("otelcol_receiver_events_missed"); err == nil {
		for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
			v, _ := p.Attributes.Value(attribute.Key(semconv.CollectorReason))
			got[v.AsString()] += p.Value
		}
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("missed %v, expected %v", got, want)
	}
}

// names are the events that a pipeline has had.
func names(sink *consumertest.LogsSink) (all []string) {
	for _, ld := range sink.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, r := range sl.LogRecords().All() {
					all = append(all, r.EventName())
				}
			}
		}
	}
	return all
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, expected %v", what, got, want)
	}
}

func TestAnEventIsARecordOfTheCollector(t *testing.T) {
	fallback, sink := process(t), new(consumertest.LogsSink)
	r := start(t, sink, nil)
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	values := []attribute.KeyValue{
		attribute.String("text", "a"), attribute.Bool("bool", true), attribute.Int("int", 3), attribute.Float64("float", 0.5),
		attribute.StringSlice("texts", []string{"a", "b"}), attribute.BoolSlice("bools", []bool{true}), attribute.IntSlice("ints", []int{1}),
		attribute.Float64Slice("floats", []float64{1.5}), {Key: "bytes", Value: attribute.ByteSliceValue([]byte{255})},
		{Key: "slice", Value: attribute.SliceValue(attribute.IntValue(1), attribute.StringValue("x"))},
		{Key: "map", Value: attribute.MapValue(attribute.String("k", "v"))}, {Key: "empty"},
	}
	emit(trace.ContextWithSpanContext(t.Context(), span), "otelplat.policy.load", values...)
	emit(t.Context(), "") // no event
	r.end()
	if sink.LogRecordCount() != 1 {
		t.Fatalf("%d records, expected 1", sink.LogRecordCount())
	}
	rl := sink.AllLogs()[0].ResourceLogs().At(0)
	if name, _ := rl.Resource().Attributes().Get("service.name"); name.AsString() != "otelplat-collector" {
		t.Errorf("the resource is %v, expected the collector's", rl.Resource().Attributes().AsRaw())
	}
	if scope := rl.ScopeLogs().At(0).Scope(); scope.Name() != "the scope" || scope.Version() != "1.2" {
		t.Errorf("the scope is %s %s", scope.Name(), scope.Version())
	}
	record := rl.ScopeLogs().At(0).LogRecords().At(0)
	if record.EventName() != "otelplat.policy.load" || record.SeverityNumber() != plog.SeverityNumberWarn || record.Timestamp() == 0 ||
		record.TraceID() != [16]byte{1} || record.SpanID() != [8]byte{2} || !record.Flags().IsSampled() {
		t.Errorf("the record is %s, severity %v, at %v, of trace %v", record.EventName(), record.SeverityNumber(), record.Timestamp(), record.TraceID())
	}
	attributes := record.Attributes().AsRaw()
	if id, _ := attributes["log.record.uid"].(string); len(id) < 16 {
		t.Errorf("log.record.uid is %q", id)
	}
	delete(attributes, "log.record.uid")
	want := map[string]any{
		"text": "a", "bool": true, "int": int64(3), "float": 0.5, "texts": []any{"a", "b"}, "bools": []any{true}, "ints": []any{int64(1)},
		"floats": []any{1.5}, "bytes": []byte{255}, "slice": []any{int64(1), "x"}, "map": map[string]any{"k": "v"}, "empty": nil,
	}
	if fmt.Sprint(attributes) != fmt.Sprint(want) {
		t.Errorf("the attributes are %v, expected %v", attributes, want)
	}
	expect(t, "the fallback", fallback.got())
	r.expectMissed(map[string]int64{})
}

func TestWithoutAReceiverEventsGoToTheFallbackAndTheNextReceiverHasTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fallback, sink := process(t), new(consumertest.LogsSink)
		emit(t.Context(), "too.old")
		time.Sleep(2 * backlogAge) // of the bubble's clock
		for range backlogSize + 1 {
			emit(t.Context(), "while.starting")
		}
		emit(t.Context(), "at.last")
		if n := len(fallback.got()); n != backlogSize+3 {
			t.Errorf("the fallback has %d events, expected all %d", n, backlogSize+3)
		}
		r := start(t, sink, nil)
		emit(t.Context(), "while.running")
		r.end()
		emit(t.Context(), "afterwards")
		got := names(sink)
		if len(got) != backlogSize+1 {
			t.Fatalf("the pipeline has %d events, expected %d", len(got), backlogSize+1)
		}
		expect(t, "the pipeline's last", got[backlogSize-2:], "while.starting", "at.last", "while.running")
		expect(t, "the fallback's last", fallback.got()[backlogSize+2:], "at.last", "afterwards")
		r.expectMissed(map[string]int64{})
	})
}

func TestEchoGoesToTheFallbackToo(t *testing.T) {
	fallback, sink := process(t), new(consumertest.LogsSink)
	r := start(t, sink, func(c *Config) { c.Echo = true })
	emit(t.Context(), "otelplat.policy.load")
	r.end()
	expect(t, "the pipeline", names(sink), "otelplat.policy.load")
	expect(t, "the fallback", fallback.got(), "otelplat.policy.load")
}

func TestEveryReceiverHasEachEvent(t *testing.T) {
	process(t)
	one, two := new(consumertest.LogsSink), new(consumertest.LogsSink)
	a, b := start(t, one, nil), start(t, two, nil)
	emit(t.Context(), "both")
	a.end()
	emit(t.Context(), "second")
	b.end()
	expect(t, "the first", names(one), "both")
	expect(t, "the second", names(two), "both", "second")
}

// stuck is a pipeline that takes nothing until it is let go.
type stuck struct {
	consumertest.LogsSink
	entered chan struct{}
	free    chan struct{}
}

func (s *stuck) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	select {
	case s.entered <- struct{}{}:
	default:
	}
	select {
	case <-s.free:
		return s.LogsSink.ConsumeLogs(ctx, ld)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestAPipelineThatIsStuckHoldsNobodyUpAndWhatFindsNoRoomIsCounted(t *testing.T) {
	process(t)
	next := &stuck{entered: make(chan struct{}, 1), free: make(chan struct{})}
	r := start(t, next, func(c *Config) { c.QueueSize = 3 })
	emit(t.Context(), "carried")
	<-next.entered
	for range 10 {
		emit(t.Context(), "queued") // returns
	}
	r.expectMissed(map[string]int64{"queue_full": 7})
	close(next.free)
	r.end()
	expect(t, "the pipeline", names(&next.LogsSink), "carried", "queued", "queued", "queued")
}

func TestShutdownEndsWhenItsContextDoes(t *testing.T) {
	process(t)
	next := &stuck{entered: make(chan struct{}, 1), free: make(chan struct{})}
	r := start(t, next, nil)
	emit(t.Context(), "stuck")
	<-next.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	r.expectMissed(map[string]int64{"refused": 1})
}

func TestWhatThePipelineRefusesIsCounted(t *testing.T) {
	process(t)
	r := start(t, consumertest.NewErr(errors.New("no memory")), nil)
	emit(t.Context(), "refused")
	r.end()
	r.expectMissed(map[string]int64{"refused": 1})
}

// A processor that tells of each record that it sees would feed on itself for ever.
func TestAnEventOfItsOwnPipelineGoesToTheFallbackAlone(t *testing.T) {
	fallback, sink := process(t), new(consumertest.LogsSink)
	telling, err := consumer.NewLogs(func(ctx context.Context, ld plog.Logs) error {
		for range 3 {
			emit(context.WithoutCancel(ctx), "otelplat.telemetry.govern")
		}
		return sink.ConsumeLogs(ctx, ld)
	})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, telling, nil)
	emit(t.Context(), "otelplat.policy.load")
	r.end()
	expect(t, "the pipeline", names(sink), "otelplat.policy.load")
	expect(t, "the fallback", fallback.got(), "otelplat.telemetry.govern", "otelplat.telemetry.govern", "otelplat.telemetry.govern")
	r.expectMissed(map[string]int64{"own_pipeline": 3})
}

func TestInAnotherProcessItStaysSilent(t *testing.T) {
	r := start(t, new(consumertest.LogsSink), nil)
	if r.provider != nil {
		t.Error("it found a provider")
	}
	r.end()
}

func TestEmittersAndReceiversComeAndGoAtOnce(t *testing.T) {
	const emitters, events = 4, 200
	fallback, sink := process(t), new(consumertest.LogsSink)
	var wg sync.WaitGroup
	for range emitters {
		wg.Go(func() {
			for range events {
				emit(t.Context(), "e")
			}
		})
	}
	for range 10 {
		r := start(t, sink, nil)
		r.end()
	}
	wg.Wait()
	// Those of a backlog are in both.
	if n := len(names(sink)) + len(fallback.got()); n < emitters*events {
		t.Errorf("%d events went somewhere, expected %d or more", n, emitters*events)
	}
}

func TestTheConfigurationIsChecked(t *testing.T) {
	for _, size := range []int{0, -1, maxQueueSize + 1} {
		if err := (&Config{QueueSize: size}).Validate(); err == nil || !strings.Contains(err.Error(), "queue_size") {
			t.Errorf("%d: error %v", size, err)
		}
	}
	if err := defaultConfig().(*Config).Validate(); err != nil {
		t.Error(err)
	}
}

func BenchmarkEmit(b *testing.B) {
	before := otel.GetLoggerProvider()
	otel.SetLoggerProvider(NewProvider(&lines{}))
	defer otel.SetLoggerProvider(before)
	r, err := newReceiver(receivertest.NewNopSettings(metadata.Type), defaultConfig().(*Config), consumertest.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	if err := r.Start(b.Context(), componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	defer r.Shutdown(context.Background())
	b.ReportAllocs()
	for b.Loop() {
		emit(b.Context(), "otelplat.telemetry.govern", attribute.String("otelplat.telemetry.rule", "noise"), attribute.Int("otelplat.telemetry.items", 3))
	}
}
