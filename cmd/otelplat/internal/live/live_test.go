// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/otelplat/platform/cmd/otelplat/internal/live"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/signal"
)

var update = flag.Bool("update", false, "write the golden files")

// fleet is a shop in trouble: one instance in order, one ejected, one that is
// probed, one of which nothing is known, one that is gone and one unconfirmed.
func fleet() []live.Row {
	window := func(requests, errors uint64, seconds float64) []signal.Window {
		w := signal.Window{Seconds: 10, Requests: requests, Errors: errors}
		w.Latency.Record(seconds, requests-errors)
		return []signal.Window{w}
	}
	inventory := &signal.Fleet{Instances: map[string]*signal.Signal{
		"inventory-1": {ID: "inventory-1", Windows: window(240, 0, 0.004), Verdict: signal.Verdict{Weight: 1, Callers: 1, Requests: 24}},
		"inventory-2": {ID: "inventory-2", Windows: window(30, 30, 0.004), Verdict: signal.Verdict{
			State: signal.Bad, Weight: 0.1, Callers: 4, BadCallers: 3, Requests: 30, Failures: 30}},
		"inventory-3": {ID: "inventory-3", Windows: window(10, 5, 0.0002), Verdict: signal.Verdict{State: signal.Probation, Weight: 0.1}},
		"inventory-9": {ID: "inventory-9", Verdict: signal.Verdict{State: signal.Bad, Weight: 0.1, Callers: 1, BadCallers: 1, Requests: 10, Failures: 10}},
		"inventory-8": {ID: "inventory-8", Verdict: signal.Verdict{Weight: 1}}, // gone, and nobody minds
	}}
	members := map[string][]discovery.Member{
		"inventory": {
			{Instance: discovery.Instance{Service: "inventory", ID: "inventory-3", Status: discovery.Up}},
			{Instance: discovery.Instance{Service: "inventory", ID: "inventory-1", Status: discovery.Up}},
			{Instance: discovery.Instance{Service: "inventory", ID: "inventory-2", Status: discovery.Up}},
		},
		"orders": {
			{Instance: discovery.Instance{Service: "orders", ID: "orders-1", Status: discovery.Draining}},
			{Instance: discovery.Instance{Service: "orders", ID: "orders-2", Status: discovery.Up}, Unconfirmed: true},
		},
	}
	return live.Rows([]string{"orders", "inventory"},
		func(service string) []discovery.Member { return members[service] },
		func(service string) *signal.Fleet {
			if service == "inventory" {
				return inventory
			}
			return nil
		})
}

func TestForms(t *testing.T) {
	for name, write := range map[string]func(*bytes.Buffer) error{
		"table.txt": func(b *bytes.Buffer) error { return live.Table(b, fleet()) },
		"lines.txt": func(b *bytes.Buffer) error { live.Line(b, fleet()); return nil },
		"rows.json": func(b *bytes.Buffer) error { return live.JSON(b, fleet()) },
		"empty.txt": func(b *bytes.Buffer) error { return live.Table(b, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}
