// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/log/logtest"
	"go.opentelemetry.io/otel/log/noop"
)

// record returns the events of a name that were emitted since it was called.
func record(t *testing.T) func(name string) []logtest.Record {
	t.Helper()
	recorder := logtest.NewRecorder()
	otel.SetLoggerProvider(recorder)
	t.Cleanup(func() { otel.SetLoggerProvider(noop.NewLoggerProvider()) })
	return func(name string) (events []logtest.Record) {
		for _, records := range recorder.Result() {
			for _, r := range records {
				if r.EventName == name {
					events = append(events, r)
				}
			}
		}
		return events
	}
}

func attributes(r logtest.Record) map[string]string {
	m := make(map[string]string)
	for _, kv := range r.Attributes {
		m[string(kv.Key)] = kv.Value.String()
	}
	return m
}

func TestAFindingIsToldAtOnceThenOnceAnIntervalAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := record(t)
		p := open(t, config(nil))
		start := time.Now()
		send := func() {
			p.traces.ConsumeTraces(t.Context(), span("shop", map[string]any{"http.method": "SECRET"}))
			synctest.Wait()
		}
		send()
		first := events(semconv.EventSemconvFinding)
		if len(first) != 1 {
			t.Fatalf("%d events for a new finding, expected one", len(first))
		}
		want := map[string]string{
			semconv.WeaverID: "deprecated", semconv.WeaverLevel: "violation", semconv.WeaverSignalType: "span", semconv.WeaverSampleType: "attribute",
			semconv.WeaverAttribute: "http.method", semconv.WeaverNote: "Use http.request.method.", semconv.WeaverService: "shop",
			semconv.SemconvCount: "1", semconv.SemconvTotal: "1",
			semconv.SemconvFirst: start.UTC().Format(time.RFC3339), semconv.SemconvLast: start.UTC().Format(time.RFC3339),
		}
		if got := attributes(first[0]); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the event has %v, expected %v", got, want)
		}
		if first[0].Severity != log.SeverityError || first[0].Body.String() != "Attribute 'http.method' is deprecated." {
			t.Errorf("severity %v, body %q", first[0].Severity, first[0].Body.String())
		}
		for range 4 {
			time.Sleep(time.Minute)
			send()
		}
		if n := len(events(semconv.EventSemconvFinding)); n != 1 {
			t.Errorf("%d events within the interval, expected one", n)
		}
		time.Sleep(2*time.Minute + time.Second)
		again := events(semconv.EventSemconvFinding)
		if len(again) != 2 || attributes(again[1])[semconv.SemconvCount] != "4" || attributes(again[1])[semconv.SemconvTotal] != "5" {
			t.Fatalf("%d events after the interval: expected a second one, of 4 in 5", len(again))
		}
		send()
		p.stop()
		all := events(semconv.EventSemconvFinding)
		if len(all) != 3 || attributes(all[2])[semconv.SemconvCount] != "1" {
			t.Errorf("%d events at the end, expected a third one for the last finding", len(all))
		}
		for _, r := range all {
			if text := fmt.Sprint(attributes(r), r.Body.String()); strings.Contains(text, "SECRET") || strings.Contains(text, "secret") {
				t.Errorf("an event tells a value: %s", text)
			}
		}
	})
}

func TestManyFindingsAreToldTenASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := record(t)
		p := open(t, config(nil))
		many := make(map[string]any)
		for i := range 50 {
			many[fmt.Sprintf("shop.a%d", i)] = 1
		}
		p.traces.ConsumeTraces(t.Context(), span("shop", many))
		synctest.Wait()
		if n := len(events(semconv.EventSemconvFinding)); n != 10 {
			t.Errorf("%d events at once, expected 10 of 50", n)
		}
		time.Sleep(2*time.Second + 50*time.Millisecond)
		if n := len(events(semconv.EventSemconvFinding)); n != 30 {
			t.Errorf("%d events after two seconds, expected 30", n)
		}
		time.Sleep(10 * time.Second)
		if n := len(events(semconv.EventSemconvFinding)); n != 50 {
			t.Errorf("%d events in the end, expected all 50", n)
		}
	})
}

func TestWhatIsNotToldAtTheEndIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := record(t)
		p := open(t, config(nil))
		many := make(map[string]any)
		for i := range lastEvents + 100 {
			many[fmt.Sprintf("shop.a%d", i)] = 1
		}
		p.traces.ConsumeTraces(t.Context(), span("shop", many))
		synctest.Wait()
		p.stop()
		n := int64(len(events(semconv.EventSemconvFinding)))
		if left := p.count(t, semconv.CollectorSemconvSuppressed)[""]; n != lastEvents+eventRate || left != 100-eventRate {
			t.Errorf("%d told and %d suppressed, expected %d and %d", n, left, lastEvents+eventRate, 100-eventRate)
		}
	})
}

func TestOnlyFindingsOfALevelAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := record(t)
		p := open(t, config(func(c *Config) { c.EventLevel = "violation" }))
		p.traces.ConsumeTraces(t.Context(), span("shop", map[string]any{"k8s.pod.start_time": "x", "faas.trigger": "other", "http.request.method": "FETCH"}))
		synctest.Wait()
		for _, e := range events(semconv.EventSemconvFinding) {
			if level := attributes(e)[semconv.WeaverLevel]; level != "violation" {
				t.Errorf("a finding of level %s is told", level)
			}
		}
	})
}

func TestTheCoverageIsToldOnceAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := record(t)
		p := open(t, config(nil))
		time.Sleep(11 * time.Minute)
		if n := len(events(semconv.EventSemconvCoverage)); n != 0 {
			t.Errorf("%d events though nothing was checked", n)
		}
		p.traces.ConsumeTraces(t.Context(), span("shop", samples[0]))
		p.traces.ConsumeTraces(t.Context(), span("shop", map[string]any{"http.method": "GET"}))
		time.Sleep(5 * time.Minute)
		all := events(semconv.EventSemconvCoverage)
		if len(all) != 1 {
			t.Fatalf("%d events in an interval, expected one", len(all))
		}
		got := attributes(all[0])
		if got[semconv.SemconvItems] != "2" || got[semconv.SemconvViolations] != "1" || got[semconv.SemconvImprove] != "1" || got[semconv.SemconvClean] != "0" ||
			got[semconv.SemconvMetrics] != "0" || got[semconv.SemconvAttributes] < "0.005" || got[semconv.SemconvAttributes] > "0.02" {
			t.Errorf("the coverage is %v", got)
		}
		p.stop()
		if n := len(events(semconv.EventSemconvCoverage)); n != 2 {
			t.Errorf("%d events after the end, expected a last one", n)
		}
	})
}
