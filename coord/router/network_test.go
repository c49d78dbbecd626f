// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/internal/loadreport"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// network is a transport in the process: requests go to peers by their address. In a bubble
// of synctest its time is fake.
type network struct {
	mu    sync.Mutex
	peers map[string]*peer
}

// peer is an instance of orders on a network.
type peer struct {
	discovery.Instance
	takes  atomic.Int64 // time to an answer
	status atomic.Int64 // of answers; 0: 200
	class  atomic.Value // a string: the header x-error-class
	away   atomic.Bool  // it refuses connections

	load      func() string // what it says of its load; nil: it offers no reports
	silent    atomic.Bool   // to who asks for its load
	asked     atomic.Int64  // for its load
	fails     atomic.Int64  // percent of the requests, at random
	busy      atomic.Int64  // requests that are there
	served    atomic.Int64  // requests that came
	open      atomic.Int64  // bodies of answers that nobody has closed
	cancelled atomic.Int64  // requests that were given up
	last      atomic.Pointer[http.Request]
	body      atomic.Value // a string: of the last request
	answers   func(*http.Response)
}

func newNetwork() *network { return &network{peers: make(map[string]*peer)} }

// join adds an instance. Its address is made of its id.
func (n *network) join(id string, change ...func(*discovery.Instance)) *peer {
	p := &peer{Instance: discovery.Instance{Service: "orders", ID: id, Zone: "z1",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: id + ".test:80"}}}}
	for _, c := range change {
		c(&p.Instance)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.peers[id+".test:80"] = p
	return p
}

// labelled gives an instance labels.
func labelled(pairs ...string) func(*discovery.Instance) {
	return func(in *discovery.Instance) {
		in.Labels = make(map[string]string)
		for i := 0; i < len(pairs); i += 2 {
			in.Labels[pairs[i]] = pairs[i+1]
		}
	}
}

func inZone(zone string) func(*discovery.Instance) {
	return func(in *discovery.Instance) { in.Zone = zone }
}

// instances are those of the peers.
func instances(peers ...*peer) []discovery.Instance {
	var list []discovery.Instance
	for _, p := range peers {
		list = append(list, p.Instance)
	}
	return list
}

// RoundTrip implements [http.RoundTripper].
func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	n.mu.Lock()
	p := n.peers[req.URL.Host]
	n.mu.Unlock()
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	if p.away.Load() {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	if req.URL.Path == loadreport.Path {
		return p.probed(req)
	}
	p.served.Add(1)
	p.busy.Add(1)
	defer p.busy.Add(-1)
	p.last.Store(req)
	p.body.Store(string(body))
	if takes := time.Duration(p.takes.Load()); takes > 0 {
		select {
		case <-req.Context().Done():
			p.cancelled.Add(1)
			return nil, req.Context().Err()
		case <-time.After(takes):
		}
	}
	p.open.Add(1)
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: &answerBody{strings.NewReader(p.ID), p, false}, Request: req,
		ContentLength: int64(len(p.ID))}
	if s := p.status.Load(); s != 0 {
		resp.StatusCode = int(s)
	}
	if rand.Int64N(100) < p.fails.Load() {
		resp.StatusCode = http.StatusInternalServerError
	}
	resp.Status = fmt.Sprint(resp.StatusCode, " ", http.StatusText(resp.StatusCode))
	if c, _ := p.class.Load().(string); c != "" {
		resp.Header.Set("x-error-class", c)
	}
	if p.load != nil && req.Header.Get(loadreport.RequestHeader) == loadreport.Format {
		resp.Header.Set(loadreport.ResponseHeader, p.load())
	}
	if p.answers != nil {
		p.answers(resp)
	}
	return resp, nil
}

// probed answers a question for the load.
func (p *peer) probed(req *http.Request) (*http.Response, error) {
	p.asked.Add(1)
	if p.silent.Load() {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	resp := &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody, Request: req}
	if p.load != nil {
		resp.StatusCode, resp.Body = http.StatusOK, io.NopCloser(strings.NewReader(p.load()))
	}
	return resp, nil
}

// answerBody counts as open until it is closed.
type answerBody struct {
	*strings.Reader
	peer   *peer
	closed bool
}

func (b *answerBody) Close() error {
	if !b.closed {
		b.closed = true
		b.peer.open.Add(-1)
	}
	return nil
}

// on returns a router, and a client of it, over a network. It is closed with the test.
func on(t testing.TB, n *network, d router.Directory, opts ...router.Option) (*router.Router, *http.Client, *sdkmetric.ManualReader) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	r, err := router.New(d, append([]router.Option{
		router.WithSignalMeter(meters), router.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		meters.Shutdown(context.Background())
	})
	return r, &http.Client{Transport: r.Transport(n)}, reader
}

// send makes one request and returns the id of the instance that answered.
func send(t testing.TB, c *http.Client, method string, change ...func(*http.Request)) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://orders/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	id, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(id), err
}

func withHeader(name, value string) func(*http.Request) {
	return func(req *http.Request) { req.Header.Set(name, value) }
}

// withBody gives a request a body that can be sent again.
func withBody(body string) func(*http.Request) {
	return func(req *http.Request) {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
		req.Body, _ = req.GetBody()
		req.ContentLength = int64(len(body))
	}
}

// stats are those of orders.
func stats(t testing.TB, r *router.Router) router.Stats {
	t.Helper()
	s, err := r.Selector("orders")
	if err != nil {
		t.Fatal(err)
	}
	return s.Stats()
}

// served are the requests that peers got.
func served(peers ...*peer) (n int64) {
	for _, p := range peers {
		n += p.served.Load()
	}
	return n
}
