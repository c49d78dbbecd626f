// SPDX-License-Identifier: Apache-2.0

package load_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/cmd/otelplat/internal/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drive runs the load against a shop for a while and returns the last counts.
func drive(t *testing.T, rate int, d time.Duration, shop http.HandlerFunc) datadir.Load {
	t.Helper()
	server := httptest.NewServer(shop)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var last datadir.Load
	load.Run(ctx, load.Options{
		Rate: rate, Shop: server.URL, Client: server.Client(),
		Tokens: map[string]func() string{
			"alice": func() string { return "token-of-alice" },
			"bob":   func() string { return "token-of-bob" },
		},
		Report: func(l datadir.Load) { last = l },
	})
	server.Client().CloseIdleConnections()
	return last
}

func TestASteadyRateOnBehalfOfTheCustomers(t *testing.T) {
	var alice, bob, foreign, health atomic.Int64
	var made atomic.Int64
	counts := drive(t, 100, 2*time.Second, func(w http.ResponseWriter, r *http.Request) {
		who := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer token-of-")
		switch who {
		case "alice":
			alice.Add(1)
		case "bob":
			bob.Add(1)
		}
		switch {
		case r.URL.Path == "/healthz":
			health.Add(1)
		case strings.HasSuffix(r.URL.Path, "/cancel") && !strings.Contains(r.URL.Path, who):
			foreign.Add(1)
			w.WriteHeader(http.StatusForbidden)
		default:
			fmt.Fprintf(w, `{"id": "%s-%d"}`, who, made.Add(1))
		}
	})
	if counts.Failed != 0 || counts.Requests < 150 || counts.Requests > 210 {
		t.Errorf("%d requests, %d failed (%v) in 2 s at 100/s", counts.Requests, counts.Failed, counts.Reasons)
	}
	if counts.Denied != uint64(foreign.Load()) || counts.Denied == 0 {
		t.Errorf("counted %d denials, the shop refused %d", counts.Denied, foreign.Load())
	}
	if alice.Load() == 0 || bob.Load() == 0 || health.Load() == 0 {
		t.Errorf("%d requests of alice, %d of bob, %d for health", alice.Load(), bob.Load(), health.Load())
	}
}

// A shop that does not answer gets no fewer requests, and the customers' side stays
// bounded.
func TestAnOpenLoop(t *testing.T) {
	if testing.Short() {
		t.Skip("takes three seconds")
	}
	release := make(chan struct{})
	var once sync.Once
	var waiting atomic.Int64
	counts := drive(t, 1000, 1500*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		if waiting.Add(1) == 500 {
			time.AfterFunc(300*time.Millisecond, func() { once.Do(func() { close(release) }) })
		}
		<-release
		http.Error(w, "down", http.StatusServiceUnavailable)
	})
	if counts.Skipped == 0 {
		t.Error("nothing was skipped with 500 requests waiting")
	}
	if counts.Failed != counts.Requests || counts.Failed == 0 {
		t.Errorf("%d of %d requests failed, want all", counts.Failed, counts.Requests)
	}
	if len(counts.Reasons) == 0 || len(counts.Reasons) > 20 {
		t.Errorf("%d reasons kept", len(counts.Reasons))
	}
}
