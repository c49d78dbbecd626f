// SPDX-License-Identifier: Apache-2.0

package otelplat_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/internal/loadreport"
	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/semconv"
)

// alone starts telemetry that exports nothing.
func alone(t testing.TB, opts ...otelplat.Option) *otelplat.Telemetry {
	t.Helper()
	t.Setenv("OTEL_SDK_DISABLED", "true")
	tel, err := otelplat.Start(t.Context(), append(opts, otelplat.WithServiceName("test"), otelplat.WithConsole(io.Discard), otelplat.WithoutGlobals())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(tel, 5*time.Second) })
	return tel
}

// web serves a handler with HTTP/1, and returns a client and the server's address.
func web(t *testing.T, tel *otelplat.Telemetry, h http.HandlerFunc) (*http.Client, *url.URL) {
	t.Helper()
	s := httptest.NewServer(tel.HTTPHandler(h, "test"))
	t.Cleanup(s.Close)
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return s.Client(), base
}

// fetch gets a path, asks for the load, and returns what was reported.
func fetch(t *testing.T, c *http.Client, base *url.URL, path, format string) (report string, resp *http.Response, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base.String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if format != "" {
		req.Header.Set("endpoint-load-metrics-format", format)
	}
	resp, err = c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Get("endpoint-load-metrics"), resp, string(b)
}

func TestAServerTellsItsLoadToWhoAsksForIt(t *testing.T) {
	tellsItsLoad := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/write":
			w.Write([]byte("written"))
		case "/string":
			io.WriteString(w, "written")
		case "/status":
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, "written")
		case "/copy":
			io.Copy(w, strings.NewReader("written"))
		case "/flush":
			http.NewResponseController(w).Flush()
			io.WriteString(w, "written")
		}
	}
	t.Run("HTTP/1", func(t *testing.T) {
		client, base := web(t, alone(t), tellsItsLoad)
		wantTheLoad(t, client, base)
	})
	t.Run("HTTP/2", func(t *testing.T) {
		s := httptest.NewUnstartedServer(alone(t).HTTPHandler(http.HandlerFunc(tellsItsLoad), "test"))
		s.EnableHTTP2 = true
		s.StartTLS()
		defer s.Close()
		base, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		wantTheLoad(t, s.Client(), base)
	})
}

func wantTheLoad(t *testing.T, client *http.Client, base *url.URL) {
	t.Helper()
	for _, path := range []string{"/write", "/string", "/status", "/copy", "/flush", "/nothing"} {
		for _, format := range []string{"TEXT", "text"} {
			wantIdle(t, func() (loadreport.Report, error) { return loadreport.AskHTTP(t.Context(), client.Transport, base) })
			text, _, _ := fetch(t, client, base, path, format)
			r, err := loadreport.ParseText(text)
			if err != nil || r.InFlight != 0 || r.AtArrival != 0 {
				t.Errorf("%s, asked for %s: %q, %v", path, format, text, err)
			}
		}
		for _, format := range []string{"", "JSON"} {
			if text, _, _ := fetch(t, client, base, path, format); text != "" {
				t.Errorf("%s, asked for %q: %q", path, format, text)
			}
		}
	}
}

// wantIdle waits until what was answered is also counted out.
func wantIdle(t *testing.T, ask func() (loadreport.Report, error)) (r loadreport.Report) {
	t.Helper()
	eventually(t, func() bool {
		var err error
		if r, err = ask(); err != nil {
			t.Fatal(err)
		}
		return r.InFlight == 0
	}, "nothing is in flight")
	return r
}

func TestAProbeIsAnsweredWhileEveryRequestWaitsAndEveryoneIsRefused(t *testing.T) {
	tel := alone(t)
	entered, release := make(chan struct{}), make(chan struct{})
	slot := make(chan struct{}, 1) // one request at a time
	client, base := web(t, tel, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == loadreport.Path {
			http.Error(w, "the policy forbids it", http.StatusForbidden)
			return
		}
		entered <- struct{}{}
		slot <- struct{}{}
		<-release
		<-slot
	})
	ended := make(chan string)
	for range 3 {
		go func() {
			text, _, _ := fetch(t, client, base, "/", "TEXT")
			ended <- text
		}()
		<-entered
	}
	r, err := loadreport.AskHTTP(t.Context(), client.Transport, base)
	if err != nil || r.InFlight != 3 || r.AtArrival != -1 {
		t.Errorf("%+v, %v; want 3 in flight", r, err)
	}
	close(release)
	arrivals := make(map[int]bool)
	for range 3 {
		r, err := loadreport.ParseText(<-ended)
		if err != nil || r.InFlight > 2 {
			t.Errorf("%+v, %v", r, err)
		}
		arrivals[r.AtArrival] = true
	}
	if len(arrivals) != 3 {
		t.Errorf("they met %v others, want 0, 1 and 2", arrivals)
	}
	if r := wantIdle(t, func() (loadreport.Report, error) { return loadreport.AskHTTP(t.Context(), client.Transport, base) }); r.Latency == 0 {
		t.Errorf("%+v after all ended", r)
	}
}

func TestAProbeIsAGetThatNobodyKeeps(t *testing.T) {
	client, base := web(t, alone(t), func(http.ResponseWriter, *http.Request) { t.Error("the handler was asked") })
	report, resp, body := fetch(t, client, base, loadreport.Path, "TEXT")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%d, %v", resp.StatusCode, resp.Header)
	}
	if body != "TEXT named_metrics.in_flight=0" || report != "" {
		t.Errorf("%q, header %q", body, report)
	}
	for _, method := range []string{http.MethodPost, http.MethodHead, http.MethodOptions} {
		req, err := http.NewRequestWithContext(t.Context(), method, base.String()+loadreport.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET" {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
}

func TestAProbeIsNeitherTracedNorCounted(t *testing.T) {
	c := newCollector(t, "grpc")
	tel := start(t, otelplat.WithSignalInterval(100*time.Millisecond))
	client, base := web(t, tel, func(http.ResponseWriter, *http.Request) {})
	fetch(t, client, base, "/", "TEXT")
	for range 10 {
		if _, err := loadreport.AskHTTP(t.Context(), client.Transport, base); err != nil {
			t.Fatal(err)
		}
	}
	fetch(t, client, base, "/", "")
	eventually(t, func() bool { n, _ := c.all(semconv.ServerRequests); return n >= 2 }, "two requests are reported")
	if err := shutdown(tel, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if n, _ := c.all(semconv.ServerRequests); n != 2 {
		t.Errorf("%g requests were counted, want 2", n)
	}
	c.see(func() {
		if len(c.spans) != 2 {
			t.Errorf("%d spans, want 2", len(c.spans))
		}
	})
}

func TestWhatARequestTellsOfTheServer(t *testing.T) {
	for path, want := range map[string]struct{ failure, latency bool }{
		"/ok":          {latency: true},
		"/not-found":   {latency: true},
		"/busy":        {},
		"/forbidden":   {},
		"/error":       {failure: true},
		"/panic":       {failure: true},
		"/hijacked":    {},
		"/given-up":    {},
		"/late-status": {latency: true}, // the response began with 200
	} {
		t.Run(path, func(t *testing.T) {
			ctx, giveUp := context.WithCancel(t.Context())
			defer giveUp()
			client, base := web(t, alone(t), func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/not-found":
					w.WriteHeader(http.StatusNotFound)
				case "/forbidden":
					w.WriteHeader(http.StatusForbidden)
				case "/busy":
					w.WriteHeader(http.StatusTooManyRequests)
				case "/error":
					w.WriteHeader(http.StatusInternalServerError)
				case "/panic":
					panic(http.ErrAbortHandler)
				case "/hijacked":
					conn, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					conn.Close()
				case "/given-up":
					giveUp()
					<-r.Context().Done()
				case "/late-status":
					io.WriteString(w, "well")
					w.WriteHeader(http.StatusInternalServerError)
				}
			})
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.String()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := client.Do(req); err == nil {
				resp.Body.Close()
			}
			var r loadreport.Report
			eventually(t, func() bool {
				if r, err = loadreport.AskHTTP(t.Context(), client.Transport, base); err != nil {
					t.Fatal(err)
				}
				return r.InFlight == 0 && r.RPS > 0
			}, "the request ended")
			if r.EPS > 0 != want.failure || r.Latency > 0 != want.latency {
				t.Errorf("%+v", r)
			}
		})
	}
}

// optional is what a net/http writer can beside what every writer can.
func optional(w http.ResponseWriter) map[string]bool {
	can := make(map[string]bool)
	_, can["Flusher"] = w.(http.Flusher)
	_, can["FlushError"] = w.(interface{ FlushError() error })
	_, can["Hijacker"] = w.(http.Hijacker)
	_, can["Pusher"] = w.(http.Pusher)
	_, can["ReaderFrom"] = w.(io.ReaderFrom)
	_, can["StringWriter"] = w.(io.StringWriter)
	_, can["SetReadDeadline"] = w.(interface{ SetReadDeadline(time.Time) error })
	_, can["EnableFullDuplex"] = w.(interface{ EnableFullDuplex() error })
	return can
}

func TestAHandlersWriterCanDoWhatItCouldDo(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			var bare, wrapped map[string]bool
			tel := alone(t)
			instrumented := tel.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				wrapped = optional(w)
				if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Error(err)
				}
			}), "test")
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				bare = optional(w)
				instrumented.ServeHTTP(w, r)
			}))
			s.EnableHTTP2 = http2
			s.StartTLS()
			defer s.Close()
			resp, err := s.Client().Get(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.ProtoAtLeast(2, 0) != http2 {
				t.Fatal(resp.Proto)
			}
			for can, could := range bare {
				if wrapped[can] != could {
					t.Errorf("%s: %v, was %v", can, wrapped[can], could)
				}
			}
		})
	}
}

func TestAConnectionCanBeTakenOver(t *testing.T) {
	client, base := web(t, alone(t), func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		rw.WriteString(line)
		rw.Flush()
	})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", base.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\nendpoint-load-metrics-format: TEXT\r\n\r\nhello\n")
	reply, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil || !strings.HasSuffix(string(reply), "\r\n\r\nhello\n") {
		t.Errorf("%q, %v", reply, err)
	}
	client.CloseIdleConnections()
}

func TestWithoutLoadReportsTheLoadIsKept(t *testing.T) {
	client, base := web(t, alone(t, otelplat.WithoutLoadReports()), http.NotFound)
	if report, _, _ := fetch(t, client, base, "/", "TEXT"); report != "" {
		t.Errorf("header %q", report)
	}
	if _, err := loadreport.AskHTTP(t.Context(), client.Transport, base); !errors.Is(err, loadreport.ErrNotOffered) {
		t.Errorf("a probe: %v", err)
	}
}

func TestFilesAreServedWithTheLoad(t *testing.T) {
	name := t.TempDir() + "/file"
	if err := os.WriteFile(name, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	client, base := web(t, alone(t), func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })
	report, _, body := fetch(t, client, base, "/", "TEXT")
	if _, err := loadreport.ParseText(report); err != nil || body != "content" {
		t.Errorf("%q, %q, %v", report, body, err)
	}
}

// blank is a writer that does nothing, with all that an HTTP/1 writer can.
type blank struct{ header http.Header }

func (b *blank) Header() http.Header               { return b.header }
func (*blank) WriteHeader(int)                     {}
func (*blank) Write(p []byte) (int, error)         { return len(p), nil }
func (*blank) WriteString(s string) (int, error)   { return len(s), nil }
func (*blank) ReadFrom(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }
func (*blank) Flush()                              {}
func (*blank) FlushError() error                   { return nil }
func (*blank) CloseNotify() <-chan bool            { return nil }
func (*blank) SetReadDeadline(time.Time) error     { return nil }
func (*blank) SetWriteDeadline(time.Time) error    { return nil }
func (*blank) EnableFullDuplex() error             { return nil }
func (*blank) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}

// BenchmarkServerHTTP compares requests with those of a handler that is not instrumented;
// the telemetry itself, which is off, is in none of them.
func BenchmarkServerHTTP(b *testing.B) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	tel := alone(b)
	counted := otelplat.Counted(tel, handler)
	for name, c := range map[string]struct {
		handler http.Handler
		path    string
		format  string
		other   bool // a writer that is not net/http's of HTTP/1
	}{
		"bare":           {handler: handler},
		"counted":        {handler: counted},
		"reported":       {handler: counted, format: "TEXT"},
		"reported/other": {handler: counted, format: "TEXT", other: true},
		"probe":          {handler: counted, path: loadreport.Path},
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "http://host"+c.path, nil)
			if c.format != "" {
				r.Header.Set("endpoint-load-metrics-format", c.format)
			}
			var w http.ResponseWriter = &blank{make(http.Header)}
			if c.other {
				w = struct {
					http.ResponseWriter
					http.Flusher
				}{w, w.(http.Flusher)}
			}
			b.ReportAllocs()
			for b.Loop() {
				c.handler.ServeHTTP(w, r)
			}
		})
	}
}
