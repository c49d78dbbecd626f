// SPDX-License-Identifier: Apache-2.0

package routing_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/loadreport"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	work  = 6 * time.Millisecond // of a request, on average, at a server that is well
	slots = 4                    // requests that are worked on at once
	slow  = 10                   // times as much work
)

// condition is how a server behaves from now on.
type condition struct {
	Work    time.Duration
	Failing float64 // part of the requests
}

// listening is where a server is reached.
type listening struct{ GRPC, HTTP string }

// machine is what a server's requests are worked on by.
type machine struct {
	grpc_health_v1.UnimplementedHealthServer
	condition atomic.Pointer[condition]
	slots     chan struct{}
	busy      atomic.Int64 // nanoseconds that slots were taken, all together
	load      *loadreport.Server
}

var errFailing = errors.New("this server fails, as it was told to")

// work takes a slot for a time that varies as requests do.
func (m *machine) work(ctx context.Context) error {
	c := m.condition.Load()
	if rand.Float64() < c.Failing {
		return errFailing
	}
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	began := time.Now()
	defer func() { m.busy.Add(int64(time.Since(began))) }()
	select {
	case <-time.After(time.Duration((0.5 + rand.Float64()) * float64(c.Work))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end counts a request out.
func (m *machine) end(r loadreport.Request, err error) {
	switch {
	case err == nil:
		m.load.End(r, loadreport.OK)
	case errors.Is(err, context.Canceled):
		m.load.End(r, loadreport.Neutral)
	default:
		m.load.End(r, loadreport.Failed)
	}
}

// Check serves a gRPC request. The report leaves with every call, as by package otelplat.
func (m *machine) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	r := m.load.Begin()
	err := m.work(ctx)
	report := m.load.ReportTo(r).AppendProto(nil)
	m.end(r, err)
	if err := grpc.SetTrailer(ctx, metadata.MD{loadreport.Trailer: {string(report)}}); err != nil {
		return nil, err
	}
	if errors.Is(err, errFailing) {
		err = status.Error(codes.Internal, err.Error())
	}
	return &grpc_health_v1.HealthCheckResponse{}, err
}

// ServeHTTP serves an HTTP request, and probes.
func (m *machine) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path == loadreport.Path {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(m.load.Report().AppendText(nil))
		return
	}
	r := m.load.Begin()
	err := m.work(req.Context())
	if strings.EqualFold(req.Header.Get(loadreport.RequestHeader), loadreport.Format) {
		w.Header().Set(loadreport.ResponseHeader, string(m.load.ReportTo(r).AppendText(nil)))
	}
	m.end(r, err)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// serverMain serves until its standard input ends; each line is a condition.
func serverMain() error {
	m := &machine{slots: make(chan struct{}, slots)}
	m.load = loadreport.NewServer(loadreport.WithCPU(func() (loadreport.CPUTime, bool) {
		return loadreport.CPUTime{User: time.Duration(m.busy.Load())}, true
	}, slots))
	lines := json.NewDecoder(os.Stdin)
	heed := func() error {
		var c condition
		if err := lines.Decode(&c); err != nil {
			return err
		}
		m.condition.Store(&c)
		return nil
	}
	if err := heed(); err != nil {
		return err
	}
	g := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(g, m)
	loadreport.Register(g, m.load)
	lg, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	lh, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := &http.Server{Handler: m, ReadHeaderTimeout: time.Second}
	failed := make(chan error, 3)
	go func() { failed <- g.Serve(lg) }()
	go func() { failed <- h.Serve(lh) }()
	go func() {
		for {
			if err := heed(); err != nil {
				failed <- err
				return
			}
		}
	}()
	if err := newStdout().say(listening{lg.Addr().String(), lh.Addr().String()}); err != nil {
		return err
	}
	if err = <-failed; errors.Is(err, io.EOF) {
		err = nil // the parent is done
	}
	g.Stop()
	return errors.Join(err, h.Close())
}
