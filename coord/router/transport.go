// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/internal/loadreport"
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
// An attempt ends with its response's body: who does not close the body counts as in flight
// for ever. A body of type text/event-stream and a switched protocol last for as long as the
// caller wants and tell nothing of the instance's speed.
//
// Deadlines, retries and hedges are those of the service's document ([WithRules]): without
// one, a request whose method may be sent twice, and whose body can be (none, or GetBody),
// is sent a second time when it was answered with 503, and any whose body can be sent again
// when no connection came about. Deadlines hold to the end of the response's body. A request
// with a body is not hedged. What is left of the caller's deadline goes along in X-Envoy-Expected-Rq-Timeout-Ms, which servers of package
// otelplat keep to. Where a document keeps callers with one variant by a cookie, the answer
// to a request without it sets it.
//
// RoundTrip returns a [*NoInstancesError] when nobody can take the request, an [*OpenError]
// when its breaker is open, [ErrClosed], a [*coord.NameError], or what base returns.
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
	s, err := t.router.service(req.URL.Hostname())
	if err != nil {
		return nil, closing(req, err)
	}
	c := &httpCall{transport: t, req: req, original: req}
	c.rules = rules.Request{Method: req.Method, Path: req.URL.Path, Header: req.Header, Caller: t.router.labels, Claims: claimsOf(req.Context())}
	c.once = c.hasBody() && req.GetBody == nil
	c.asked = req.Header[loadreport.RequestHeader] != nil
	if err := s.decide(&c.request); err != nil {
		return nil, closing(req, err)
	}
	ctx, cancel := req.Context(), context.CancelFunc(nil)
	if bound := c.decision.Settings.Timeout; bound > 0 {
		ctx, cancel = context.WithTimeout(ctx, bound)
	}
	a := c.run(ctx)
	if cancel != nil {
		if x, ok := bodyOf(a.resp).(*exchange); ok {
			x.whole = cancel
		} else {
			cancel()
		}
	}
	if a.err != nil {
		return nil, a.err // as it is: callers ask it whether it is a timeout
	}
	if name, value, ok := c.decision.SetCookie(); ok {
		if a.resp.Header == nil {
			a.resp.Header = make(http.Header)
		}
		a.resp.Header.Add("Set-Cookie", (&http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}).String())
	}
	return a.resp, nil
}

func bodyOf(resp *http.Response) io.ReadCloser {
	if resp == nil {
		return nil
	}
	return resp.Body
}

// closing closes the body of a request that is not sent, as round trippers must.
func closing(req *http.Request, err error) error {
	if req.Body != nil {
		return errors.Join(err, req.Body.Close())
	}
	return err
}

// httpCall is a request over HTTP.
type httpCall struct {
	request
	transport *transport
	req       *http.Request // read by attempts
	original  *http.Request // the caller's own
	asked     bool          // the caller itself wants to hear of the instance's load
	begun     atomic.Bool   // the body was given to an attempt
}

func (c *httpCall) hasBody() bool { return c.req.Body != nil && c.req.Body != http.NoBody }

func (c *httpCall) run(ctx context.Context) httpAnswer {
	after := c.hedgeAfter()
	if after == 0 || c.hasBody() {
		return run(ctx, &c.request, c)
	}
	// The caller may change its request once it has read an answer, when another attempt
	// may still be under way.
	c.req = c.req.Clone(ctx)
	return runHedged(ctx, &c.request, after, c, false)
}

// httpAnswer is what an attempt brought.
type httpAnswer struct {
	resp *http.Response
	err  error
}

// drained is how much of an answer that nobody wants is read, so that its connection can be
// used again: what net/http's client reads of a redirect.
const drained = 2 << 10

// discard implements [sender].
func (c *httpCall) discard(a httpAnswer) {
	if a.resp == nil || a.resp.Body == nil {
		return
	}
	if n := a.resp.ContentLength; n > 0 && n <= drained {
		_, _ = io.CopyN(io.Discard, a.resp.Body, n+1) // to the end of the file
	}
	_ = a.resp.Body.Close() // nobody wants it
}

// try implements [sender].
func (c *httpCall) try(ctx context.Context, cancel context.CancelFunc, hedge bool) ending[httpAnswer] {
	x, err := c.begin(ctx, cancel, hedge)
	if err != nil {
		if cancel != nil {
			cancel()
		}
		return ending[httpAnswer]{result: httpAnswer{err: err}, unsent: hedge && errors.Is(err, ErrNoInstances)}
	}
	resp, err := c.transport.base.RoundTrip(&x.sent) //nolint:bodyclose // whoever gets the answer closes it, or discard
	if err != nil {
		outcome := errorOutcome(ctx, err)
		x.end(outcome, balance.Measured)
		return ending[httpAnswer]{result: httpAnswer{err: err}, cause: x.causeOf(outcome, err)}
	}
	x.heardHTTP(resp)
	resp.Request = c.original
	e := ending[httpAnswer]{result: httpAnswer{resp: resp}}
	x.outcome, x.speed, e.class = c.outcomeOf(resp)
	if x.outcome == balance.Error {
		e.cause = rules.Failed
		if resp.StatusCode == http.StatusServiceUnavailable {
			e.cause = rules.Unavailable
		}
	}
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols, resp.Body == nil, resp.Body == http.NoBody:
		x.end(x.outcome, x.speed)
		return e
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		x.speed = balance.Unrelated
	}
	x.body, resp.Body = resp.Body, x
	return e
}

// begin chooses an instance and makes the request that goes there.
func (c *httpCall) begin(ctx context.Context, cancel context.CancelFunc, hedge bool) (*exchange, error) {
	s := c.service
	now := s.router.now()
	a, ok := c.pick(now, s.pick, servesHTTP, hedge)
	if !ok {
		err := s.noInstances(discovery.HTTP)
		if !hedge && !c.begun.Load() {
			err = closing(c.req, err)
		}
		return nil, err
	}
	x := &exchange{service: s, call: c, attempt: a, url: *c.req.URL, cancel: cancel}
	x.trace.GotConn = x.connected
	x.sent = *c.req.WithContext(httptrace.WithClientTrace(ctx, &x.trace))
	x.url.Host = targetOf(a.Node()).http
	x.sent.URL = &x.url
	if x.sent.Host == "" {
		x.sent.Host = c.req.URL.Host
	}
	if c.begun.Swap(true) && c.hasBody() {
		body, err := c.req.GetBody()
		if err != nil {
			x.end(balance.Cancelled, balance.Unrelated)
			return nil, fmt.Errorf("router: request's body a second time: %w", err)
		}
		x.sent.Body = body
	}
	asks := s.asks.Load()
	c.addHeaders(ctx, x, asks)
	annotate(ctx, &c.decision, targetOf(a.Node()))
	if asks {
		s.pool.Ask(balance.Request{Now: now, Random: rand.IntN, Variant: c.decision.Variant, Usable: s.askableHTTP},
			c.transport.asker(s, c.req.URL.Scheme))
	}
	return x, nil
}

// expectedTimeout is Envoy's header for the milliseconds that are left of a deadline.
const expectedTimeout = "X-Envoy-Expected-Rq-Timeout-Ms"

// addHeaders adds what the router has to say to the instance, to a copy: the caller's
// headers are its own.
func (c *httpCall) addHeaders(ctx context.Context, x *exchange, asks bool) {
	deadline, bounded := ctx.Deadline()
	if !bounded && !asks {
		return
	}
	header := make(http.Header, len(c.req.Header)+2)
	maps.Copy(header, c.req.Header)
	if bounded {
		header[expectedTimeout] = []string{strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10)}
	}
	if asks {
		header[loadreport.RequestHeader] = asText
	}
	x.sent.Header = header
}

var asText = []string{loadreport.Format}

func servesHTTP(n *node) bool { return targetOf(n).http != "" }

// CloseIdleConnections closes those of base, as [http.Client.CloseIdleConnections]
// expects.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// exchange is one attempt: the request as it is sent, and the response's body.
type exchange struct {
	service *service
	call    *httpCall
	attempt attempt
	cancel  context.CancelFunc // of the attempt, nil when nobody else can end it
	whole   context.CancelFunc // of the request, for the attempt whose answer its caller gets
	sent    http.Request
	url     url.URL
	trace   httptrace.ClientTrace
	reached atomic.Bool  // it had a connection
	sentAt  atomic.Int64 // on a new connection, when it was there
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
		x.end(errorOutcome(x.sent.Context(), err), x.speed)
	}
	return n, err
}

// Close implements [io.Closer].
func (x *exchange) Close() error {
	err := x.body.Close()
	outcome := x.outcome
	if ended := x.sent.Context().Err(); ended != nil && outcome == balance.OK {
		outcome = errorOutcome(x.sent.Context(), ended) // closed early because the caller gave up
	}
	x.end(outcome, x.speed)
	return err
}

// end reports how the attempt ended, once, and gives up its contexts.
func (x *exchange) end(outcome balance.Outcome, speed balance.Speed) {
	if !x.ended.CompareAndSwap(false, true) {
		return
	}
	x.service.done(x.attempt, &x.call.decision, time.Duration(x.sentAt.Load()), outcome, speed)
	if x.cancel != nil {
		x.cancel()
	}
	if x.whole != nil {
		x.whole()
	}
}

// causeOf says why an attempt without an answer might be repeated, "" that it must not.
// Refused, which is repeated whatever the method, is only what never had a connection.
func (x *exchange) causeOf(o balance.Outcome, err error) string {
	switch {
	case o == balance.Cancelled, o == balance.Outlasted:
		return ""
	case o == balance.Timeout:
		return rules.Timeout
	case o == balance.Refused && (dialed(err) || !x.reached.Load()):
		return rules.Refused
	}
	return rules.Failed
}

// connected is told which connection the request goes by. To make one takes longer
// than many an answer; counted as latency, it would keep an instance out of favour
// for seconds after its first request.
func (x *exchange) connected(c httptrace.GotConnInfo) {
	x.reached.Store(true)
	if !c.Reused {
		x.sentAt.Store(int64(x.service.router.now()))
	}
}
