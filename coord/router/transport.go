// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/balance"
)

const (
	// connectTimeout is for neighbours: who takes longer is unreachable.
	connectTimeout = 2 * time.Second

	// maxIdlePerInstance replaces net/http's 2, with which most requests of a busy
	// service would connect anew.
	maxIdlePerInstance = 256
)

// Transport returns a round tripper that takes a URL's host for the name of a
// service, http://orders/path, and sends the request through base to one of its
// instances. A nil base is a transport for calls within a fleet: no proxy, two seconds
// to connect, and as many idle connections as were in use. A port in the URL is
// ignored, the Host header keeps the service's name. With https, base verifies the instance's
// certificate for its address unless TLSClientConfig.ServerName says otherwise.
//
// A request is tried once. It ends with its response's body: who does not close the
// body counts as in flight for ever. A body of type text/event-stream and a switched
// protocol last for as long as the caller wants and tell nothing of the instance's
// speed.
//
// RoundTrip returns a [*NoInstancesError] when nobody can take the request,
// [ErrClosed], a [*coord.NameError], or what base returns.
func (r *Router) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = &http.Transport{
			DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout:   2 * connectTimeout,
			ExpectContinueTimeout: time.Second,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   maxIdlePerInstance,
			IdleConnTimeout:       90 * time.Second,
		}
	}
	return &transport{router: r, base: base}
}

type transport struct {
	router *Router
	base   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	x, err := t.begin(req)
	if err != nil {
		if req.Body != nil {
			err = errors.Join(err, req.Body.Close())
		}
		return nil, err
	}
	resp, err := t.base.RoundTrip(&x.request)
	if err != nil {
		x.end(errorOutcome(req.Context(), err), balance.Measured)
		return resp, err // as it is: callers ask it whether it is a timeout
	}
	resp.Request = req
	x.outcome, x.speed = statusOutcome(resp.StatusCode)
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols, resp.Body == nil, resp.Body == http.NoBody:
		x.end(x.outcome, x.speed)
		return resp, nil
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		x.speed = balance.Unrelated
	}
	x.body, resp.Body = resp.Body, x
	return resp, nil
}

// CloseIdleConnections closes those of base, as [http.Client.CloseIdleConnections]
// expects.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *transport) begin(req *http.Request) (*exchange, error) {
	s, err := t.router.service(req.URL.Hostname())
	if err != nil {
		return nil, err
	}
	a, ok := s.pool.Pick(balance.Request{Now: t.router.now(), Random: rand.IntN, Usable: servesHTTP})
	if !ok {
		return nil, s.noInstances(discovery.HTTP)
	}
	x := &exchange{service: s, attempt: a, url: *req.URL}
	x.trace.GotConn = x.connected
	x.request = *req.WithContext(httptrace.WithClientTrace(req.Context(), &x.trace))
	x.url.Host = targetOf(a.Node()).http
	x.request.URL = &x.url
	if x.request.Host == "" {
		x.request.Host = req.URL.Host
	}
	return x, nil
}

func servesHTTP(n *node) bool { return targetOf(n).http != "" }

// exchange is one attempt: the request as it is sent, and the response's body.
type exchange struct {
	service *service
	attempt attempt
	request http.Request
	url     url.URL
	trace   httptrace.ClientTrace
	sent    atomic.Int64 // on a new connection, when it was there
	body    io.ReadCloser
	outcome balance.Outcome // by the status
	speed   balance.Speed
	ended   atomic.Bool
}

// Read implements [io.Reader].
func (x *exchange) Read(p []byte) (int, error) {
	n, err := x.body.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		x.end(x.outcome, x.speed)
	default:
		x.end(errorOutcome(x.request.Context(), err), x.speed)
	}
	return n, err
}

// Close implements [io.Closer].
func (x *exchange) Close() error {
	err := x.body.Close()
	outcome := x.outcome
	if ended := x.request.Context().Err(); ended != nil && outcome == balance.OK {
		outcome = errorOutcome(x.request.Context(), ended) // closed early because the caller gave up
	}
	x.end(outcome, x.speed)
	return err
}

func (x *exchange) end(outcome balance.Outcome, speed balance.Speed) {
	if x.ended.CompareAndSwap(false, true) {
		x.service.done(x.attempt, time.Duration(x.sent.Load()), outcome, speed)
	}
}

// connected is told which connection the request goes by. To make one takes longer
// than many an answer; counted as latency, it would keep an instance out of favour
// for seconds after its first request.
func (x *exchange) connected(c httptrace.GotConnInfo) {
	if !c.Reused {
		x.sent.Store(int64(x.service.router.now()))
	}
}
