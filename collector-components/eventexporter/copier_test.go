// SPDX-License-Identifier: Apache-2.0

package eventexporter_test

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/eventexporter"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream/natstest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

func bestEffort(c *eventexporter.Config) { c.BestEffort = true }

// decision is a record as the platform's own events are.
func decision(change func(plog.LogRecord)) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "otelplat-collector")
	rl.Resource().Attributes().PutStr("service.instance.id", "c1")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("the scope")
	r := sl.LogRecords().AppendEmpty()
	r.SetEventName("otelplat.telemetry.govern")
	r.SetTimestamp(pcommon.NewTimestampFromTime(time.Unix(1_000_000, 5)))
	r.SetSeverityNumber(plog.SeverityNumberInfo)
	r.Attributes().PutStr("log.record.uid", "7")
	r.Attributes().PutStr("otelplat.telemetry.rule", "noise")
	r.Attributes().PutInt("otelplat.telemetry.items", 3)
	if change != nil {
		change(r)
	}
	return ld
}

// take gives records to an exporter at best effort, which never fails.
func (r *running) take(ld plog.Logs) {
	r.t.Helper()
	ld.MarkReadOnly()
	if err := r.ConsumeLogs(r.t.Context(), ld); err != nil {
		r.t.Errorf("best effort fails the pipeline: %v", err)
	}
}

func (r *running) eventually(reason string, want int64) {
	r.t.Helper()
	coordtest.Eventually(r.t, 30*time.Second, func() bool { return r.counted(reason) == want }, "%d events are counted as %s", want, reason)
}

func TestAtBestEffortARecordIsCopiedAsACloudEvent(t *testing.T) {
	server := natstest.NewServer(t)
	got := subscribe(t, server)
	e := start(t, server, bestEffort)
	e.take(decision(func(r plog.LogRecord) {
		r.SetTraceID(pcommon.TraceID{1})
		r.SetSpanID(pcommon.SpanID{2})
	}))
	d := <-got
	if d.Service != "otelplat-collector" || d.Type != "otelplat.telemetry.govern" || d.ID != "7" || d.Source != "/otelplat-collector/c1" ||
		d.DataContentType != "application/json" || !d.Time.Equal(time.Unix(1_000_000, 5)) ||
		!maps.Equal(d.Extensions, map[string]string{"traceparent": "00-01000000000000000000000000000000-0200000000000000-00"}) {
		t.Errorf("got %+v", d)
	}
	var data struct {
		Severity, Scope string
		Attributes      map[string]any
	}
	if err := json.Unmarshal(d.Data, &data); err != nil {
		t.Fatal(err)
	}
	if data.Severity != "Info" || data.Scope != "the scope" ||
		!maps.Equal(data.Attributes, map[string]any{"otelplat.telemetry.rule": "noise", "otelplat.telemetry.items": 3.0}) {
		t.Errorf("the data is %s", d.Data)
	}
	e.eventually("stored", 1)
}

func TestAtBestEffortWhatIsPublishedStaysAsItIsAndOtherLogsStayWhereTheyAre(t *testing.T) {
	server := natstest.NewServer(t)
	got := subscribe(t, server)
	e := start(t, server, bestEffort)
	ld := decision(func(r plog.LogRecord) { r.SetEventName("") })
	logs("orders", nil).ResourceLogs().MoveAndAppendTo(ld.ResourceLogs())
	e.take(ld)
	if d := <-got; d.Service != "orders" || d.ID != "1" || string(d.Data) != "\xff\x00" {
		t.Errorf("got %+v", d)
	}
	e.eventually("stored", 1)
	if n := e.counted("invalid"); n != 0 {
		t.Errorf("%d logs are counted as invalid events", n)
	}
}

func TestAtBestEffortOnlyTheTypesWantedAreCopied(t *testing.T) {
	server := natstest.NewServer(t)
	got := subscribe(t, server)
	e := start(t, server, bestEffort, func(c *eventexporter.Config) { c.Types = []string{"otelplat.route.*", "shop.closed"} })
	wanted := []string{"otelplat.route.eject", "shop.closed", "otelplat.route.effect"}
	for _, name := range append([]string{"otelplat.telemetry.govern", "shop.closed.early", "otelplat.route"}, wanted...) {
		e.take(decision(func(r plog.LogRecord) {
			r.SetEventName(name)
			r.Attributes().Remove("log.record.uid")
		}))
	}
	for _, name := range wanted {
		if d := <-got; d.Type != name {
			t.Errorf("%s is copied, want %s", d.Type, name)
		}
	}
	e.eventually("stored", int64(len(wanted)))
	if n := e.counted("dropped") + e.counted("invalid"); n != 0 {
		t.Errorf("%d events that nobody wants are counted", n)
	}
}

func TestAtBestEffortWhatIsNoEventIsCountedAndLeavesTheOthersAlone(t *testing.T) {
	server := natstest.NewServer(t)
	got := subscribe(t, server)
	e := start(t, server, bestEffort)
	bad := []func(plog.LogRecord){
		func(r plog.LogRecord) { r.SetEventName("no name") },
		func(r plog.LogRecord) { r.Attributes().PutDouble("x", math.NaN()) },
		func(r plog.LogRecord) { r.Body().SetStr(strings.Repeat("x", 64<<10)) },
		func(r plog.LogRecord) { r.Attributes().PutStr("cloudevents.event_id", "1") }, // without a source
	}
	for _, change := range bad {
		ld := decision(change)
		decision(nil).ResourceLogs().MoveAndAppendTo(ld.ResourceLogs())
		e.take(ld)
	}
	e.take(logs("", nil)) // of no service
	if d := <-got; d.ID != "7" {
		t.Errorf("got %+v", d)
	}
	e.eventually("invalid", int64(len(bad)+1))
	e.eventually("stored", int64(len(bad)))
}

func TestAtBestEffortWhatHasMoreDataThanIsCopiedIsCounted(t *testing.T) {
	server := natstest.NewServer(t)
	got := subscribe(t, server)
	e := start(t, server, bestEffort, func(c *eventexporter.Config) { c.MaxData = 1024 })
	for _, size := range []int{1024, 800} { // and the rest of the document
		e.take(decision(func(r plog.LogRecord) { r.Body().SetStr(strings.Repeat("x", size)) }))
	}
	if d := <-got; len(d.Data) < 800 || len(d.Data) > 1024 {
		t.Errorf("an event with %d bytes of data is copied", len(d.Data))
	}
	e.eventually("stored", 1)
	e.eventually("invalid", 1)
}

func TestAtBestEffortEventsWaitForNATSAndWhatFindsNoRoomIsCounted(t *testing.T) {
	server := natstest.NewServer(t)
	server.Stop()
	e := start(t, server, bestEffort, func(c *eventexporter.Config) { c.QueueSize = 4 })
	const taken = 100
	for range taken {
		e.take(decision(func(r plog.LogRecord) { r.Attributes().Remove("log.record.uid") }))
	}
	lost := e.counted("dropped") // what the goroutine has in hand is not in the queue
	if lost == 0 || lost >= taken {
		t.Errorf("%d of %d events were dropped", lost, taken)
	}
	server.Start()
	got := subscribe(t, server)
	for range taken - lost {
		<-got
	}
	e.eventually("stored", taken-lost)
}

func TestAtBestEffortAnEventIsGivenUpWhenItWaitedForLong(t *testing.T) {
	server := natstest.NewServer(t)
	server.Stop()
	e := start(t, server, bestEffort, func(c *eventexporter.Config) { c.MaxWait = time.Millisecond })
	e.take(decision(nil))
	e.eventually("unavailable", 1)
}

func TestAtBestEffortShutdownStoresWhatIsLeftOrCountsIt(t *testing.T) {
	for _, there := range []bool{true, false} {
		server := natstest.NewServer(t)
		if !there {
			server.Stop()
		}
		e := start(t, server, bestEffort)
		if there {
			e.take(decision(nil))
			e.eventually("stored", 1) // it is connected
		}
		for range 10 {
			e.take(decision(func(r plog.LogRecord) { r.Attributes().Remove("log.record.uid") }))
		}
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		want := map[bool]map[string]int64{true: {"stored": 11, "unavailable": 1}, false: {"stored": 0, "unavailable": 11}}[there]
		e.take(decision(nil)) // afterwards
		for reason, n := range want {
			if got := e.counted(reason); got != n {
				t.Errorf("with NATS %v: %d events counted as %s, expected %d", there, got, reason, n)
			}
		}
	}
}

func TestAtBestEffortTheOldestMakeRoomInItsStream(t *testing.T) {
	server := natstest.NewServer(t)
	e := start(t, server, bestEffort, func(c *eventexporter.Config) { c.MaxBytes = event.MaxData })
	const events = 40
	for i := range events {
		e.take(decision(func(r plog.LogRecord) {
			r.Attributes().Remove("log.record.uid")
			r.Body().SetStr(strings.Repeat("x", 60<<10))
		}))
		e.eventually("stored", int64(i+1))
	}
}
