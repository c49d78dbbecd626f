// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/embedded"
)

// startTimeout is generous: a loaded machine starts an etcd in a second or two.
const startTimeout = 30 * time.Second

// Server is an etcd for one test. Its methods are not safe for concurrent use.
type Server struct {
	t      testing.TB
	scheme string
	opts   []embedded.Option
	dir    string
	port   int
	server *embedded.Server
}

// Etcd starts an etcd on a free loopback port and stops it when the test ends.
// It does not fsync: what a test loses by that, it loses with the machine.
func Etcd(t testing.TB) *Server {
	t.Helper()
	return start(t, "http")
}

// SecureEtcd is [Etcd] with TLS: clients need certificates of the authority, and the
// server has one of it.
func SecureEtcd(t testing.TB, a *Authority) *Server {
	t.Helper()
	cert, key := a.Issue(t, "etcd", time.Hour)
	return start(t, "https", embedded.WithTLS(cert, key, a.File))
}

func start(t testing.TB, scheme string, opts ...embedded.Option) *Server {
	t.Helper()
	s := &Server{t: t, scheme: scheme, dir: t.TempDir(), opts: opts}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

// Endpoint returns the client URL, which stays the same over restarts.
func (s *Server) Endpoint() string { return s.scheme + "://" + s.Address() }

// Address returns host and port for clients.
func (s *Server) Address() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// Start starts a stopped server on the data that it had, at the same port.
func (s *Server) Start() {
	s.t.Helper()
	if s.server != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := embedded.Start(ctx, append(s.opts, embedded.WithDir(s.dir), embedded.WithClientPort(s.port), embedded.ForTests())...)
	if err != nil {
		s.t.Fatalf("coordtest: %v", err)
	}
	u, err := url.Parse(server.Endpoint())
	if err != nil {
		s.t.Fatalf("coordtest: %v", err)
	}
	if s.port, err = strconv.Atoi(u.Port()); err != nil {
		s.t.Fatalf("coordtest: %v", err)
	}
	s.server = server
}

// Stop stops the server. Its data stays.
func (s *Server) Stop() {
	if s.server != nil {
		s.server.Close()
		s.server = nil
	}
}

// Wipe removes the data of a stopped server: it starts again as another cluster.
func (s *Server) Wipe() {
	s.t.Helper()
	if s.server != nil {
		s.t.Fatal("coordtest: Wipe of a running server")
	}
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Fatalf("coordtest: %v", err)
	}
}

// Client returns a client of the server in a random namespace, closed when the
// test ends. Options may set the endpoint to a proxy's and the namespace.
func Client(t testing.TB, s *Server, opts ...coord.Option) *coord.Client {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	opts = append([]coord.Option{coord.WithEndpoints(s.Endpoint()), coord.WithNamespace("t" + rand.Text()), coord.WithLogger(quiet)}, opts...)
	c, err := coord.Open(opts...)
	if err != nil {
		t.Fatalf("coordtest: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the test ends; what the connection says does not matter
	return c
}

// Eventually waits until ok holds, asking again every few milliseconds, and fails
// the test when it does not within the timeout. The message says what was waited
// for.
func Eventually(t testing.TB, timeout time.Duration, ok func() bool, format string, args ...any) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not within "+timeout.String()+": "+format, args...)
		case <-tick.C:
		}
	}
}
