// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/felixge/httpsnoop"
)

// wrap returns w with exactly the optional interfaces that it has, such that the exchange
// sees the response begin. net/http's writer of HTTP/1 is wrapped at the cost of one
// allocation; any other by httpsnoop, at the cost of some twenty.
func (x *exchange) wrap(w http.ResponseWriter) http.ResponseWriter {
	if inner, ok := w.(http1Writer); ok {
		if _, more := w.(http.Pusher); !more {
			return &http1Exchange{inner, x}
		}
	}
	return x.snoop(w)
}

// http1Writer is what net/http's writer of HTTP/1 can.
type http1Writer interface {
	http.ResponseWriter
	http.Flusher
	http.Hijacker
	io.ReaderFrom
	io.StringWriter
	FlushError() error
	CloseNotify() <-chan bool
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	EnableFullDuplex() error
}

type http1Exchange struct {
	http1Writer
	x *exchange
}

func (e *http1Exchange) WriteHeader(status int) {
	e.x.respond(status)
	e.http1Writer.WriteHeader(status)
}

func (e *http1Exchange) Write(b []byte) (int, error) {
	e.x.respond(http.StatusOK)
	return e.http1Writer.Write(b)
}

func (e *http1Exchange) WriteString(s string) (int, error) {
	e.x.respond(http.StatusOK)
	return e.http1Writer.WriteString(s)
}

func (e *http1Exchange) ReadFrom(r io.Reader) (int64, error) {
	e.x.respond(http.StatusOK)
	return e.http1Writer.ReadFrom(r)
}

func (e *http1Exchange) Flush() {
	e.x.respond(http.StatusOK)
	e.http1Writer.Flush()
}

func (e *http1Exchange) FlushError() error {
	e.x.respond(http.StatusOK)
	return e.http1Writer.FlushError()
}

func (e *http1Exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := e.http1Writer.Hijack()
	e.x.taken = e.x.taken || err == nil
	return c, rw, err
}

func (x *exchange) snoop(w http.ResponseWriter) http.ResponseWriter {
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
