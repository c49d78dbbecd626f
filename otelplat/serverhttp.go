// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/felixge/httpsnoop"
	"github.com/otelplat/platform/internal/loadreport"
)

// http counts the requests of a handler, and reports the load to who asks.
func (s *server) http(h http.Handler) http.Handler {
	s.begin()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.quiet && r.URL.Path == loadreport.Path {
			s.answer(w, r)
			return
		}
		x := &exchange{server: s, header: w.Header, request: s.load.Begin()}
		x.wanted = !s.quiet && wantsReport(r.Header)
		defer func() { s.load.End(x.request, x.outcome(r)) }()
		h.ServeHTTP(x.wrap(w), r)
		x.returned = true
		x.respond(http.StatusOK) // what net/http answers for a handler that wrote nothing
	})
}

// answer answers a probe: nothing is traced, counted or waited for.
func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if r.Method != http.MethodGet {
		h.Set("Allow", http.MethodGet)
		http.Error(w, "a probe is a GET", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	var buf [loadreport.MaxText]byte
	_, _ = w.Write(s.load.Report().AppendText(buf[:0])) // who does not hear it asks again
}

// wantsReport tells whether a client asks for the load in the form that there is. Servers
// that came before take either case.
func wantsReport(h http.Header) bool {
	format := h[loadreport.RequestHeader]
	return len(format) > 0 && strings.EqualFold(format[0], loadreport.Format)
}

// exchange is one request and its response.
type exchange struct {
	server   *server
	request  loadreport.Request
	header   func() http.Header
	wanted   bool // the report
	status   int  // 0 before the response begins
	taken    bool // the connection was hijacked
	returned bool // the handler did, and did not panic
}

// respond is told when the response begins, with its status.
func (x *exchange) respond(status int) {
	if x.status != 0 || x.taken || status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return // it began before; or it is informational, and another one follows
	}
	x.status = status
	if x.wanted {
		var buf [loadreport.MaxText]byte
		x.header()[loadreport.ResponseHeader] = []string{string(x.server.load.ReportTo(x.request).AppendText(buf[:0]))}
	}
}

// outcome is what the exchange tells of the server. As in the router, 429 is no failure,
// but no work either.
func (x *exchange) outcome(r *http.Request) loadreport.Outcome {
	switch {
	case x.taken, x.status == http.StatusSwitchingProtocols, x.status == http.StatusTooManyRequests, r.Context().Err() != nil:
		return loadreport.Neutral
	case !x.returned, x.status >= http.StatusInternalServerError:
		return loadreport.Failed
	}
	return loadreport.OK
}

// wrap returns w with exactly the optional interfaces that it has, such that the exchange
// sees the response begin.
func (x *exchange) wrap(w http.ResponseWriter) http.ResponseWriter {
	return httpsnoop.Wrap(w, httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(status int) {
				x.respond(status)
				next(status)
			}
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(b []byte) (int, error) {
				x.respond(http.StatusOK)
				return next(b)
			}
		},
		WriteString: func(next httpsnoop.WriteStringFunc) httpsnoop.WriteStringFunc {
			return func(s string) (int, error) {
				x.respond(http.StatusOK)
				return next(s)
			}
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(r io.Reader) (int64, error) {
				x.respond(http.StatusOK)
				return next(r)
			}
		},
		Flush: func(next httpsnoop.FlushFunc) httpsnoop.FlushFunc {
			return func() {
				x.respond(http.StatusOK)
				next()
			}
		},
		Hijack: func(next httpsnoop.HijackFunc) httpsnoop.HijackFunc {
			return func() (net.Conn, *bufio.ReadWriter, error) {
				c, rw, err := next()
				x.taken = x.taken || err == nil
				return c, rw, err
			}
		},
	})
}
