// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
)

// ledger is what a consumer saw of the events of each key.
type ledger struct {
	mu         sync.Mutex
	seen       map[string]int // deliveries by key and number
	last       map[string]int // the greatest number of a key so far
	duplicates int
	disorder   int // events that came for the first time after a later one of their key
	deliveries int
}

func (l *ledger) handle(_ context.Context, d event.Delivery) error {
	n, err := strconv.Atoi(string(d.Data))
	if err != nil {
		return event.Terminate(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deliveries++
	id := d.Subject + "/" + string(d.Data)
	if l.seen[id]++; l.seen[id] > 1 {
		l.duplicates++
		return nil
	}
	if n < l.last[d.Subject] {
		l.disorder++
	}
	l.last[d.Subject] = max(n, l.last[d.Subject])
	return nil
}

func (l *ledger) has(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[id] > 0
}

// TestEventsSurviveKills publishes 20,000 events, and kills the collector and NATS
// while it does.
func TestEventsSurviveKills(t *testing.T) {
	const events, keys = 20_000, 50
	p := upAlone(t, t.TempDir())
	p.environment(t)
	t.Setenv(otelplat.EventsVariable, p.Events)
	tel, err := otelplat.Start(t.Context(), otelplat.WithServiceName("tester"), otelplat.WithTokenFile(p.tokenFor(t, "tester")),
		otelplat.WithoutGlobals(), otelplat.WithoutRuntimeMetrics(), otelplat.WithConsole(&bytes.Buffer{}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(context.Background()) }() // of telemetry that nobody wants
	bus, err := jetstream.Open(jetstream.WithURL(p.NATS))
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	seen := &ledger{seen: make(map[string]int), last: make(map[string]int)}
	if _, err := bus.Subscribe(t.Context(), event.Subscription{Name: "ledger", Concurrency: 16}, seen.handle); err != nil {
		t.Fatal(err)
	}

	// What is killed when so many are acknowledged.
	victims := map[int64]string{events / 5: "collector", 2 * events / 5: "nats", 3 * events / 5: "collector", 4 * events / 5: "nats"}
	var acknowledged, refused, uncertain atomic.Int64
	var mu sync.Mutex
	var stored []string
	began := time.Now()
	var publishers sync.WaitGroup
	for key := range keys {
		publishers.Go(func() {
			subject := fmt.Sprintf("key-%d", key)
			for n := range events / keys {
				err := tel.Events().Publish(t.Context(), event.Event{Type: "test.numbered", Subject: subject, Data: fmt.Append(nil, n)})
				switch {
				case err == nil:
					mu.Lock()
					stored = append(stored, fmt.Sprintf("%s/%d", subject, n))
					mu.Unlock()
				case errors.Is(err, event.ErrUncertain):
					uncertain.Add(1)
					continue
				default:
					refused.Add(1)
					t.Errorf("publish: %v", err)
					return
				}
				if victim := victims[acknowledged.Add(1)]; victim != "" {
					pid := p.pids()[victim]
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						t.Errorf("kill of %s (%d): %v", victim, pid, err)
					}
					t.Logf("killed %s after %d events", victim, acknowledged.Load())
				}
			}
		})
	}
	publishers.Wait()
	took := time.Since(began)
	p.eventually(2*time.Minute, "every acknowledged event arrives", func() bool {
		for i, id := range stored {
			if !seen.has(id) {
				stored = stored[i:] // what is before it has arrived
				return false
			}
		}
		return true
	})
	t.Logf("%d events acknowledged in %v (%.0f a second), %d uncertain, %d refused: all acknowledged ones arrived",
		acknowledged.Load(), took.Round(time.Millisecond), float64(acknowledged.Load())/took.Seconds(), uncertain.Load(), refused.Load())
	t.Logf("%d deliveries, %d of them duplicates, %d out of their key's order", seen.deliveries, seen.duplicates, seen.disorder)
	deaths := strings.Count(p.printed(), `"type":"died"`)
	if deaths < len(victims) {
		t.Errorf("%d children died, want %d", deaths, len(victims))
	}
	t.Logf("docs/failure.md:  | the collector and NATS, killed in turn %d times during %d events | every acknowledged event arrives; %d uncertain, %d duplicates, %d out of order |",
		deaths, events, uncertain.Load(), seen.duplicates, seen.disorder)
}
