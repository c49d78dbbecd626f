// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"net/http"
	"strings"

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
		limited, cancel := bounded(r)
		defer cancel()
		h.ServeHTTP(x.wrap(w), limited)
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

// outcome is what the exchange tells of the server. Who is turned away is no failure, as in
// the router, but no work either.
func (x *exchange) outcome(r *http.Request) loadreport.Outcome {
	if x.taken || r.Context().Err() != nil {
		return loadreport.Neutral
	}
	if !x.returned || x.status >= http.StatusInternalServerError {
		return loadreport.Failed
	}
	switch x.status {
	case http.StatusSwitchingProtocols, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return loadreport.Neutral
	}
	return loadreport.OK
}
