// SPDX-License-Identifier: Apache-2.0

// Package natstest runs a real NATS server with JetStream in the process of a test.
package natstest

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startTimeout bounds the start of a server.
const startTimeout = 30 * time.Second

// Server is a NATS server on a port of loopback, whose data is in a folder of the
// test. It syncs each write.
type Server struct {
	t    testing.TB
	dir  string
	port int
	run  *server.Server // nil while it is stopped
}

// NewServer starts a server, which ends with the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, dir: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

// URL returns where the server listens.
func (s *Server) URL() string { return "nats://127.0.0.1:" + strconv.Itoa(s.port) }

// Start starts the server on the same port and data after [Server.Stop].
func (s *Server) Start() {
	s.t.Helper()
	run, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: s.port, JetStream: true, StoreDir: s.dir, SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	run.Start()
	if !run.ReadyForConnections(startTimeout) {
		s.t.Fatalf("NATS is not ready within %v", startTimeout)
	}
	s.run = run
}

// Stop stops the server. It is idempotent.
func (s *Server) Stop() {
	if s.run == nil {
		return
	}
	s.run.Shutdown()
	s.run.WaitForShutdown()
	s.run = nil
}
