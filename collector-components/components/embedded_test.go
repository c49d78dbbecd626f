// SPDX-License-Identifier: Apache-2.0

package components_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/otelplat/platform/coord/coordtest"
	"google.golang.org/grpc/grpclog"
)

// ownLogger is the gRPC logger of the process that a collector is embedded in.
type ownLogger struct {
	grpclog.LoggerV2
	lines atomic.Int64
}

func (l *ownLogger) Info(...any) { l.lines.Add(1) }

func TestAnEmbeddedCollectorTakesNeitherSignalsNorTheGRPCLogger(t *testing.T) {
	before := &ownLogger{LoggerV2: grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)}
	grpclog.SetLoggerV2(before)
	terminate := make(chan os.Signal, 2)
	signal.Notify(terminate, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(terminate)

	health := free(t)
	t.Setenv("HEALTH", health)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- components.Run(ctx, components.Options{URIs: []string{"yaml:" + answering("up"), "yaml:service: {telemetry: {logs: {level: fatal}, metrics: {level: none}}}"}})
	}()
	up := func() bool { code, _ := get("http://" + health + "/up"); return code == http.StatusOK }
	coordtest.Eventually(t, patience, up, "the collector runs")

	n := before.lines.Load()
	grpclog.Info("whose is it?")
	if before.lines.Load() != n+1 {
		t.Error("gRPC's logger is no longer the process's own")
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		if got := <-terminate; got != s {
			t.Errorf("the process got %v, expected %v", got, s)
		}
		if !up() {
			t.Fatalf("%v ended the collector", s)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
