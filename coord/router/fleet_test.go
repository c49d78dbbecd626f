// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// backend is an instance of orders that serves HTTP.
type backend struct {
	discovery.Instance
	server *httptest.Server
	status atomic.Int64 // 0 is 200
	served atomic.Int64
}

func newBackend(t testing.TB, id string) *backend {
	b := &backend{}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b.served.Add(1)
		switch req.URL.Path {
		case "/host":
			_, _ = io.WriteString(w, req.Host)
			return
		case "/wait":
			<-req.Context().Done()
			return
		case "/stall":
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, "some")
			_ = http.NewResponseController(w).Flush()
			<-req.Context().Done()
			return
		}
		if s := b.status.Load(); s != 0 {
			w.WriteHeader(int(s))
		}
		_, _ = io.WriteString(w, id)
	}))
	t.Cleanup(b.server.Close)
	b.Instance = discovery.Instance{Service: "orders", ID: id, Zone: "z1", Labels: map[string]string{"variant": "blue"},
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: strings.TrimPrefix(b.server.URL, "http://")}}}
	return b
}

// documentOf returns a source in which a text is the document of orders.
func documentOf(t testing.TB, text string) *rules.MemorySource {
	t.Helper()
	if _, err := rules.Parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	s := rules.Memory()
	if err := s.Put("orders", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return s
}

// newRouter returns a router with short holds, a client of it, and its measurements.
func newRouter(t testing.TB, d router.Directory, opts ...router.Option) (*router.Router, *http.Client, *sdkmetric.ManualReader) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	opts = append([]router.Option{
		router.WithEjectionBase(300 * time.Millisecond), router.WithSignalMeter(meters),
		router.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
	}, opts...)
	r, err := router.New(d, opts...)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: r.Transport(nil)}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		r.Close()
		meters.Shutdown(context.Background())
	})
	return r, client, reader
}

func table(t testing.TB, instances ...discovery.Instance) *discovery.Table {
	t.Helper()
	d, err := discovery.Static(instances...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// get returns the body of http://orders/path.
func get(t testing.TB, c *http.Client, path string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(body), err
}

func stateOf(t testing.TB, r *router.Router, id string) router.Choice {
	t.Helper()
	choices, err := r.Explain("orders")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range choices {
		if c.Member.ID == id {
			return c
		}
	}
	return router.Choice{}
}

// measured is where a router's measurements are read.
type measured = *sdkmetric.ManualReader

// force makes an operator's word about orders hold for a minute, unless it says for how long.
func force(t testing.TB, s *override.MemorySource, o override.Override) {
	t.Helper()
	o.Service = "orders"
	if o.For == 0 {
		o.For = time.Minute
	}
	if err := s.Set(o); err != nil {
		t.Fatal(err)
	}
}

// counts returns how many were recorded for each value of an attribute.
func counts(t testing.TB, reader *sdkmetric.ManualReader, metric, key string) map[string]uint64 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &rm); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]uint64)
	add := func(set attribute.Set, n uint64) {
		v, _ := set.Value(attribute.Key(key))
		got[v.AsString()] += n
	}
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			if m.Name != metric {
				continue
			}
			switch d := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					add(p.Attributes, p.Count)
				}
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					add(p.Attributes, uint64(p.Value))
				}
			}
		}
	}
	return got
}
