// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/cli"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/otelplat/platform/otelplat/event/jetstream/natstest"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"otelplat": func() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the behaviours in testdata/script, one a file.
func TestScripts(t *testing.T) {
	etcd, nats := coordtest.Etcd(t), natstest.NewServer(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			// A port that is taken for as long as the script runs.
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = l.Close() })
			env.Setenv("ETCD", etcd.Endpoint())
			env.Setenv("NATS", nats.URL())
			env.Setenv("BUSY", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode": exitCode,
			"copies":   func(ts *testscript.TestScript, neg bool, args []string) { copies(ts, neg, args, nats.URL()) },
		},
	})
}

// exitCode runs a command that must end with a code: exitcode 2 otelplat up --x
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode N command...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// copies stores events of a service, one CloudEvent a line in JSON, as the collector copies
// them; without a time they happened now: copies NAMESPACE SERVICE FILE
func copies(ts *testscript.TestScript, neg bool, args []string, url string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: copies NAMESPACE SERVICE FILE")
	}
	var events []event.Event
	for line := range strings.Lines(ts.ReadFile(args[2])) {
		var e event.Event
		ts.Check(json.Unmarshal([]byte(line), &e))
		events = append(events, e.Complete(args[1]))
	}
	bus, err := jetstream.Open(jetstream.WithURL(url), jetstream.WithNamespace(args[0]), jetstream.WithService(args[1]), jetstream.WithOldestDiscarded())
	ts.Check(err)
	defer func() { ts.Check(bus.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, e := range events {
		ts.Check(bus.Publish(ctx, e)) // which waits for the connection
	}
}
