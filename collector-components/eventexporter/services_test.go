// SPDX-License-Identifier: Apache-2.0

package eventexporter_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/otelplat/platform/collector-components/eventexporter"
	"github.com/otelplat/platform/otelplat/event/jetstream/natstest"
	"go.opentelemetry.io/collector/pdata/plog"
)

// byOperator makes the stream of the exporter as an operator has.
func byOperator(t *testing.T, server *natstest.Server, change func(*jetstream.StreamConfig)) {
	t.Helper()
	conn, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	c := jetstream.StreamConfig{Name: "EVENTS-default", Subjects: []string{"events.default.>"}}
	change(&c)
	if _, err := js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// silent lets JetStream acknowledge nothing, as one without a quorum.
func silent(c *jetstream.StreamConfig) { c.NoAck = true }

const services = 20

// interleaved are events of twenty services in turn, n of each, numbered within their service.
func interleaved(n int) plog.Logs {
	ld := plog.NewLogs()
	for i := range n {
		for s := range services {
			one := decision(func(r plog.LogRecord) { r.Attributes().PutStr("log.record.uid", fmt.Sprint(i)) })
			one.ResourceLogs().At(0).Resource().Attributes().PutStr("service.name", fmt.Sprintf("service-%d", s))
			one.ResourceLogs().MoveAndAppendTo(ld.ResourceLogs())
		}
	}
	return ld
}

func TestAtBestEffortAServerThatDoesNotAcknowledgeIsTriedForAllServicesTogether(t *testing.T) {
	t.Parallel()
	server := natstest.NewServer(t)
	byOperator(t, server, silent)
	got := subscribe(t, server)
	e := start(t, server, bestEffort, func(c *eventexporter.Config) { c.MaxWait = time.Second })
	e.take(decision(nil))
	<-got // it is connected
	began := time.Now()
	e.take(interleaved(10))
	e.eventually("unavailable", 1+10*services)
	if took := time.Since(began); took > 20*time.Second { // two tries are 10 s
		t.Errorf("it took %v, which is more than two tries", took)
	}
}

func TestAtBestEffortAShutdownWaitsOnceForAServerThatDoesNotAcknowledge(t *testing.T) {
	t.Parallel()
	server := natstest.NewServer(t)
	byOperator(t, server, silent)
	got := subscribe(t, server)
	e := start(t, server, bestEffort)
	e.take(decision(nil))
	<-got // it is connected
	e.take(interleaved(50))
	began := time.Now()
	if err := e.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 9*time.Second { // five, and closing the connection
		t.Errorf("it took %v", took)
	}
	if n := e.counted("unavailable"); n != 1+50*services {
		t.Errorf("%d events are counted as unavailable, want %d", n, 1+50*services)
	}
}

func TestAtBestEffortTheEventsOfAServiceStayInOrder(t *testing.T) {
	server := natstest.NewServer(t)
	got := subscribe(t, server)
	e := start(t, server, bestEffort)
	e.take(interleaved(10))
	next := make(map[string]int)
	for range 10 * services {
		d := <-got
		if want := fmt.Sprint(next[d.Service]); d.ID != want {
			t.Errorf("%s: event %s, want %s", d.Service, d.ID, want)
		}
		next[d.Service]++
	}
	e.eventually("stored", 10*services)
}

func TestAtBestEffortAServiceWhoseEventsAreRefusedLeavesTheOthersAlone(t *testing.T) {
	server := natstest.NewServer(t)
	byOperator(t, server, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 4096 })
	e := start(t, server, bestEffort, func(c *eventexporter.Config) { c.MaxWait = 5 * time.Second })
	ld := decision(func(r plog.LogRecord) { r.Body().SetStr(strings.Repeat("x", 8192)) })
	interleaved(3).ResourceLogs().MoveAndAppendTo(ld.ResourceLogs())
	e.take(ld)
	e.eventually("stored", 3*services)
	e.eventually("unavailable", 1)
}
