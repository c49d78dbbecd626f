// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/otelplat/event"
)

// desk is a bus that hands out what the test says and keeps what became of it.
type desk struct {
	t *testing.T
	d *event.Dispatcher

	mu       sync.Mutex
	outcomes []string
	extended map[string]int
}

func newDesk(t *testing.T, s event.Subscription, h event.Handler) *desk {
	t.Helper()
	s.Name = "desk"
	s, err := s.Complete()
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t: t, d: event.NewDispatcher(s, h), extended: make(map[string]int)}
}

func (k *desk) settle(format string, args ...any) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.outcomes = append(k.outcomes, fmt.Sprintf(format, args...))
	return nil
}

// has checks what became of the events, in order.
func (k *desk) has(want ...string) {
	k.t.Helper()
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if fmt.Sprint(k.outcomes) != fmt.Sprint(want) {
		k.t.Errorf("outcomes %q, want %q", k.outcomes, want)
	}
}

func (k *desk) hand(id, key string, attempt int) bool {
	if !k.d.Ready(k.t.Context()) {
		return false
	}
	k.d.Dispatch(&event.Message{
		Delivery: event.Delivery{Event: event.Event{ID: id, Type: "t", Subject: key}, Attempt: attempt},
		Done:     func(context.Context) error { return k.settle("%s done", id) },
		Retry: func(_ context.Context, after time.Duration) error {
			return k.settle("%s again in %ds", id, int(after.Seconds()+0.5))
		},
		Dead: func(_ context.Context, reason string) error { return k.settle("%s dead: %.40s", id, reason) },
		Extend: func() error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.extended[id]++
			return nil
		},
	})
	return true
}

func TestAFailedEventComesAgainLaterEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t, event.Subscription{MaxAttempts: 8, RetryDelay: 10 * time.Second}, func(context.Context, event.Delivery) error {
			return errors.New("no")
		})
		for attempt := 1; attempt <= 8; attempt++ {
			k.hand("e", "", attempt)
			synctest.Wait()
		}
		if len(k.outcomes) != 8 || k.outcomes[7] != "e dead: no" {
			t.Fatalf("outcomes %q", k.outcomes)
		}
		for i, limits := range [][2]int{{8, 12}, {16, 24}, {24, 36}, {24, 36}, {24, 36}, {24, 36}, {24, 36}} {
			var after int
			if _, err := fmt.Sscanf(k.outcomes[i], "e again in %ds", &after); err != nil || after < limits[0] || after > limits[1] {
				t.Errorf("attempt %d: %q, want %v s", i+1, k.outcomes[i], limits)
			}
		}
		_ = k.d.Close()
	})
}

func TestAHandlerThatHeedsItsContextIsNotLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t, event.Subscription{Timeout: 10 * time.Second}, func(ctx context.Context, _ event.Delivery) error {
			<-ctx.Done()
			return event.RetryAfter(ctx.Err(), 7*time.Second)
		})
		began := time.Now()
		k.hand("e", "", 1)
		time.Sleep(10*time.Second + time.Millisecond) // of the bubble's clock
		k.has("e again in 7s")
		if k.extended["e"] != 3 {
			t.Errorf("extended %d times in %v, want each 3 s", k.extended["e"], time.Since(began))
		}
		_ = k.d.Close()
	})
}

func TestHandlersThatNeverReturnAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		started := 0
		release := make(chan struct{})
		k := newDesk(t, event.Subscription{Timeout: time.Second, RetryDelay: time.Second}, func(context.Context, event.Delivery) error {
			mu.Lock()
			started++
			mu.Unlock()
			<-release
			return nil
		})
		go func() {
			for i := range 100 {
				if !k.hand(fmt.Sprint(i), fmt.Sprint(i), 1) {
					return
				}
			}
		}()
		time.Sleep(time.Hour) // of the bubble's clock
		synctest.Wait()
		mu.Lock()
		if started != 17 { // 16 left behind, and the one that waits for them
			t.Errorf("%d handlers started, want 17", started)
		}
		mu.Unlock()
		close(release)
		time.Sleep(time.Minute) // of the bubble's clock
		synctest.Wait()
		mu.Lock()
		if started != 100 {
			t.Errorf("%d handlers started after they returned, want all 100", started)
		}
		mu.Unlock()
		_ = k.d.Close()
	})
}

func TestCloseGivesBackWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t, event.Subscription{}, func(ctx context.Context, _ event.Delivery) error {
			<-ctx.Done()
			return ctx.Err()
		})
		for i := range 3 {
			k.hand(fmt.Sprint(i), "same", 1)
		}
		synctest.Wait()
		began := time.Now()
		_ = k.d.Close()
		k.has("0 again in 0s", "1 again in 0s", "2 again in 0s")
		if took := time.Since(began); took > time.Second {
			t.Errorf("close took %v", took)
		}
		if k.d.Ready(t.Context()) {
			t.Error("a closed dispatcher takes events")
		}
	})
}

func TestAnEventThatEndsItsProcessesBecomesADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t, event.Subscription{MaxAttempts: 2}, func(context.Context, event.Delivery) error { return nil })
		k.hand("a", "", 8)
		k.hand("b", "", 9)
		k.has("a done", "b dead: handed out 8 times and never settled: th")
		_ = k.d.Close()
	})
}

func TestASubscriptionHasABoundedNumberOfEventsInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		k := newDesk(t, event.Subscription{Concurrency: 2}, func(context.Context, event.Delivery) error {
			<-release
			return nil
		})
		taken := 0
		go func() {
			for k.hand(fmt.Sprint(taken), fmt.Sprint(taken), 1) {
				taken++
			}
		}()
		synctest.Wait()
		if taken != 16 {
			t.Errorf("%d events in hand, want 8 for each of 2 workers", taken)
		}
		close(release)
		_ = k.d.Close()
	})
}
