// SPDX-License-Identifier: Apache-2.0

package components_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/otelplat/platform/collector-components/components"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	mib = 1 << 20

	// headroom is what the collector may use over what the test had in use before it,
	// and ballast is more than that.
	headroom = 384 * mib
	ballast  = 512 * mib

	itemsInBatch    = 10
	noiseInBatch    = 2 // of them, what a rule drops
	refusedByPhase  = 10
	acceptedByPhase = 40
)

// A memory limiter that refuses is the one stage that answers a sender with an error and
// keeps nothing. Whatever it does, each item has one fate that somebody counted.
func TestWhatTheMemoryLimiterRefusesIsRetriedAndNothingIsUncounted(t *testing.T) {
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	w := start(t, fmt.Sprintf(`
processors:
  memory_limiter:
    check_interval: 10ms
    limit_mib: %d
    spike_limit_mib: 1
    # It collects at each check, so that it sees at once that memory is free again.
    min_gc_interval_when_soft_limited: 0s
    max_gc_interval_when_soft_limited: 0s
    max_gc_interval_when_hard_limited: 0s
  otelplat_budget:
    budgets: {defaults: {spans_per_second: 50, data_points_per_second: 50, log_bytes_per_second: 5000}}
`, (before.Alloc+headroom)/mib))
	w.push(noisy(t))
	w.eventually("the pushed bundle lets telemetry through", func() bool {
		return w.log(w.as("service", "orders"), "orders", "first") == nil
	})
	var first fates // of the one record of that wait
	w.eventually("it has left the collector", func() bool { first = w.fates(t, "logs"); return first.exported == 1 })

	var senders []*sender
	for _, signal := range []string{"traces", "metrics", "logs"} {
		for _, over := range []string{"grpc", "http"} {
			senders = append(senders, w.sender(signal, over))
		}
	}
	for range 2 {
		held := make([]byte, ballast)
		each(senders, (*sender).untilRefused)
		runtime.KeepAlive(held) // and from here on the collector's next check frees it
		each(senders, (*sender).untilAccepted)
	}

	for _, signal := range []string{"traces", "metrics", "logs"} {
		t.Run(signal, func(t *testing.T) {
			var sent, accepted, refused float64
			ids := make(map[string]bool)
			for _, s := range senders {
				if s.signal != signal {
					continue
				}
				for _, err := range s.wrong {
					t.Errorf("over %s: %v, expected success or a refusal that may be retried", s.over, err)
				}
				if len(s.waiting) > 0 {
					t.Errorf("over %s: %d batches that were refused were never accepted", s.over, len(s.waiting))
				}
				sent, accepted, refused = sent+s.sent, accepted+s.accepted, refused+s.refused
				maps.Copy(ids, s.ids)
			}
			if sent != accepted+refused || refused == 0 || accepted != float64(len(ids)) {
				t.Errorf("%v items were sent, %v of %d accepted, %v refused: that does not add up", sent, accepted, len(ids), refused)
			}
			var f fates
			w.eventually("what was accepted has left the collector", func() bool {
				f = w.fates(t, signal)
				if signal == "logs" {
					f = f.minus(first)
				}
				return f.accepted == f.exported+f.policy+f.budget && f.exported == float64(w.backend.arrived(t, signal, ids))
			})
			t.Logf("%v sent = %v accepted + %v refused; accepted = %v exported + %v by policy + %v by budget", sent, accepted, refused, f.exported, f.policy, f.budget)
			if f.accepted != accepted || f.limited != accepted {
				t.Errorf("the receiver counted %v and the limiter %v accepted items, expected %v", f.accepted, f.limited, accepted)
			}
			if f.refused != refused || f.limiter != refused {
				t.Errorf("the receiver counted %v and the limiter %v refused items, expected %v", f.refused, f.limiter, refused)
			}
			if want := accepted / itemsInBatch * noiseInBatch; f.policy != want {
				t.Errorf("policy dropped %v items, expected %v", f.policy, want)
			}
			if f.budget == 0 || f.exported == 0 {
				t.Errorf("the budget dropped %v items, and %v were exported: the test needs both", f.budget, f.exported)
			}
		})
	}
}

// noisy is a bundle that drops what is called noise.
func noisy(t *testing.T) fs.FS {
	t.Helper()
	claims, err := fs.ReadFile(components.DefaultBundle(), "claims.rego")
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{
		"claims.rego": {Data: claims},
		"telemetry.rego": {Data: []byte(`package otelplat.telemetry
drop contains "noise" if input.item.name == "noise"
drop contains "noise" if input.item.attributes.noise == "yes"
`)},
	}
}

// fates is what the collector counted of a signal's items.
type fates struct {
	accepted, refused, limited, limiter, exported, policy, budget float64
}

func (w *world) fates(t *testing.T, signal string) fates {
	t.Helper()
	unit := map[string]string{"traces": "spans", "metrics": "metric_points", "logs": "log_records"}[signal]
	label := `otelcol_signal="` + signal + `"`
	return fates{
		accepted: w.metric("otelcol_receiver_accepted_"+unit+"_total", `receiver="otlp"`),
		refused:  w.metric("otelcol_receiver_refused_"+unit+"_total", `receiver="otlp"`) + w.metric("otelcol_receiver_failed_"+unit+"_total", `receiver="otlp"`),
		limited:  w.metric("otelcol_processor_memory_limiter_accepted_" + unit + "_total"),
		limiter:  w.metric("otelcol_processor_memory_limiter_refused_" + unit + "_total"),
		exported: w.metric("otelcol_exporter_sent_"+unit+"_total", `exporter="otlp_grpc"`),
		policy:   w.metric("otelcol_processor_policy_items_total", `action="dropped"`, label),
		budget:   w.metric("otelcol_processor_budget_items_total", `outcome="dropped"`, label),
	}
}

func (f fates) minus(g fates) fates {
	return fates{
		f.accepted - g.accepted, f.refused - g.refused, f.limited - g.limited, f.limiter - g.limiter,
		f.exported - g.exported, f.policy - g.policy, f.budget - g.budget,
	}
}

// sender sends batches of one signal over one protocol, each again until it is accepted,
// and counts the items of what it heard.
type sender struct {
	signal, over string
	send         func(ids []string) (accepted bool, err error)

	next                    int
	waiting                 [][]string // batches that were refused
	sent, accepted, refused float64
	ids                     map[string]bool // of what was accepted
	wrong                   []error
}

// each lets all of them send at once.
func each(senders []*sender, phase func(*sender)) {
	var wg sync.WaitGroup
	for _, s := range senders {
		wg.Go(func() { phase(s) })
	}
	wg.Wait()
}

func (s *sender) untilRefused() {
	for late := time.Now().Add(patience); len(s.waiting) < refusedByPhase && s.going(late); {
		s.one(s.fresh())
	}
}

// untilAccepted sends what was refused, and some more.
func (s *sender) untilAccepted() {
	late := time.Now().Add(patience)
	for n := 0; n < acceptedByPhase && s.going(late); {
		ids := s.fresh()
		if len(s.waiting) > 0 {
			ids, s.waiting = s.waiting[0], s.waiting[1:]
		}
		if s.one(ids) {
			n++
		}
	}
}

func (s *sender) going(late time.Time) bool {
	if len(s.wrong) == 0 && time.Now().After(late) {
		s.wrong = append(s.wrong, fmt.Errorf("%v passed, and the limiter neither refuses nor accepts as it should", patience))
	}
	return len(s.wrong) == 0
}

func (s *sender) fresh() []string {
	ids := make([]string, itemsInBatch)
	for i := range ids {
		s.next++
		ids[i] = s.over + "-" + strconv.Itoa(s.next)
	}
	return ids
}

func (s *sender) one(ids []string) bool {
	s.sent += itemsInBatch
	accepted, err := s.send(ids)
	switch {
	case err != nil:
		s.wrong = append(s.wrong, err)
	case accepted:
		s.accepted += itemsInBatch
		for _, id := range ids {
			s.ids[id] = true
		}
	default:
		s.refused += itemsInBatch
		s.waiting = append(s.waiting, ids)
	}
	return accepted
}

// request is what goes over either protocol.
type request interface{ MarshalProto() ([]byte, error) }

func (w *world) sender(signal, over string) *sender {
	s := &sender{signal: signal, over: over, ids: make(map[string]bool)}
	of := map[string]func([]string) request{"traces": spansOf, "metrics": pointsOf, "logs": recordsOf}[signal]
	token, ctx := w.token("service", "orders"), w.as("service", "orders")
	if over == "grpc" {
		s.send = func(ids []string) (bool, error) {
			err := w.export(ctx, of(ids))
			if status.Code(err) == codes.Unavailable {
				return false, nil
			}
			return err == nil, err
		}
		return s
	}
	s.send = func(ids []string) (bool, error) {
		text, err := of(ids).MarshalProto()
		if err != nil {
			return false, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.http+"/v1/"+signal, bytes.NewReader(text))
		if err != nil {
			return false, err
		}
		r.Header.Set("Content-Type", "application/x-protobuf")
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return false, err
		}
		response.Body.Close()
		switch response.StatusCode {
		case http.StatusOK:
			return true, nil
		case http.StatusServiceUnavailable:
			return false, nil
		}
		return false, fmt.Errorf("status %s", response.Status)
	}
	return s
}

func (w *world) export(ctx context.Context, r request) (err error) {
	switch r := r.(type) {
	case ptraceotlp.ExportRequest:
		_, err = ptraceotlp.NewGRPCClient(w.conn).Export(ctx, r)
	case pmetricotlp.ExportRequest:
		_, err = pmetricotlp.NewGRPCClient(w.conn).Export(ctx, r)
	case plogotlp.ExportRequest:
		_, err = plogotlp.NewGRPCClient(w.conn).Export(ctx, r)
	}
	return err
}

func spansOf(ids []string) request {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "orders")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for i, id := range ids {
		span := spans.AppendEmpty()
		span.SetName("work")
		if i < noiseInBatch {
			span.SetName("noise")
		}
		random := sha256.Sum256([]byte(id)) // as trace ids are: the budget samples by them
		span.SetTraceID([16]byte(random[:]))
		span.SetSpanID([8]byte(random[16:]))
		span.Attributes().PutStr("id", id)
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

// pointsOf has one point in each metric, so that a metric and a point are the same count.
func pointsOf(ids []string) request {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "orders")
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	for i, id := range ids {
		m := metrics.AppendEmpty()
		m.SetName("work")
		if i < noiseInBatch {
			m.SetName("noise")
		}
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetIntValue(1)
		p.Attributes().PutStr("id", id)
	}
	return pmetricotlp.NewExportRequestFromMetrics(md)
}

func recordsOf(ids []string) request {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "orders")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	for i, id := range ids {
		r := records.AppendEmpty()
		r.Body().SetStr("worked")
		if i < noiseInBatch {
			r.Attributes().PutStr("noise", "yes")
		}
		r.Attributes().PutStr("id", id)
	}
	return plogotlp.NewExportRequestFromLogs(ld)
}

// arrived is how many items of a signal have an id, each of which was accepted and came once.
func (b *backend) arrived(t *testing.T, signal string, accepted map[string]bool) int {
	t.Helper()
	seen := make(map[string]bool)
	for _, id := range b.idsOf(signal) {
		if !accepted[id] || seen[id] {
			t.Errorf("%s was exported, accepted %v, before %v", id, accepted[id], seen[id])
		}
		seen[id] = true
	}
	return len(seen)
}

func (b *backend) idsOf(signal string) (ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch signal {
	case "traces":
		for _, r := range b.traces {
			for _, rs := range r.Traces().ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					for _, span := range ss.Spans().All() {
						if v, ok := span.Attributes().Get("id"); ok {
							ids = append(ids, v.Str())
						}
					}
				}
			}
		}
	case "metrics":
		for _, r := range b.metrics {
			for _, rm := range r.Metrics().ResourceMetrics().All() {
				for _, sm := range rm.ScopeMetrics().All() {
					for _, m := range sm.Metrics().All() {
						for _, p := range m.Gauge().DataPoints().All() {
							if v, ok := p.Attributes().Get("id"); ok {
								ids = append(ids, v.Str())
							}
						}
					}
				}
			}
		}
	case "logs":
		for _, r := range b.logs {
			for _, rl := range r.Logs().ResourceLogs().All() {
				for _, sl := range rl.ScopeLogs().All() {
					for _, record := range sl.LogRecords().All() {
						if v, ok := record.Attributes().Get("id"); ok {
							ids = append(ids, v.Str())
						}
					}
				}
			}
		}
	}
	slices.Sort(ids)
	return ids
}
