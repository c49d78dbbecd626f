// SPDX-License-Identifier: Apache-2.0

package signal_test

import (
	"context"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/signal"
)

// An instance that is up by its own word is contradicted once its callers condemn it.
func TestVerdictsContradictADirectory(t *testing.T) {
	source := signal.Memory()
	defer source.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	registry := discovery.Memory()
	directory, err := registry.Directory(ctx, discovery.WithVerdicts(signal.Verdicts(ctx, source)))
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	registration, err := registry.Register(ctx, discovery.Instance{Service: "orders", ID: "a",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:1"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = registration.Close(context.Background()) }() // in memory it succeeds
	state := func() (discovery.Status, string) {
		m := directory.Members("orders")[0]
		return m.State(), m.Figures
	}
	if s, _ := state(); s != discovery.Up {
		t.Errorf("before there are signals it is %s", s)
	}
	updates := directory.Updates(ctx)
	<-updates
	share := &signal.Share{Service: "orders", Collector: "c", Shards: 1, Instances: []signal.Instance{{ID: "a",
		Evidence: signal.Evidence{Seconds: 1, Requests: 20, Failures: 20, Callers: []signal.Caller{{Hash: 1, Requests: 20, Failures: 20}}}}}}
	if err := source.Put(share); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, 20*time.Second, func() bool {
		s, figures := state()
		return s == discovery.Contradicted && figures == "bad: 1 of 1 callers saw it bad, 20 of 20 requests failed"
	}, "it is contradicted")
	select {
	case <-updates:
	case <-time.After(20 * time.Second):
		t.Error("the directory told nobody")
	}
}
