// SPDX-License-Identifier: Apache-2.0

package discovery_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/otelplat/platform/coord/discovery"
)

func ExampleSelector() {
	directory, err := discovery.Static(
		discovery.Instance{Service: "orders", ID: "a", Zone: "z1", Version: "1", Endpoints: []discovery.Endpoint{{Protocol: "http", Address: "10.0.0.1:80"}}},
		discovery.Instance{Service: "orders", ID: "b", Zone: "z1", Version: "2", Endpoints: []discovery.Endpoint{{Protocol: "http", Address: "10.0.0.2:80"}}},
		discovery.Instance{Service: "orders", ID: "c", Zone: "z2", Version: "2", Endpoints: []discovery.Endpoint{{Protocol: "http", Address: "10.0.0.3:80"}}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	selector, err := discovery.ParseSelector("zone=z1,version=2")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range selector.Select(directory, "orders") {
		fmt.Println(m.ID, m.Address(discovery.HTTP))
	}

	// Output: b 10.0.0.2:80
}

func TestWhatASelectorChooses(t *testing.T) {
	in := func(id, zone, version string, status discovery.Status, labels map[string]string) discovery.Instance {
		return discovery.Instance{Service: "s", ID: id, Zone: zone, Version: version, Status: status, Labels: labels,
			Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:1"}}}
	}
	d, err := discovery.Static(
		in("a", "z1", "1", discovery.Up, map[string]string{"variant": "blue", "tier": "1"}),
		in("b", "z1", "2", discovery.Draining, map[string]string{"variant": "green"}),
		in("c", "z2", "2", discovery.Up, nil),
		in("d", "z2", "2", discovery.Starting, map[string]string{"variant": ""}),
	)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                                 "abcd",
		"zone=z1":                          "ab",
		"version=2":                        "bcd",
		"version=2,zone=z2":                "cd",
		"status=up":                        "ac",
		"status=up|draining":               "abc",
		"label.variant=blue":               "a",
		"label.variant=blue,label.tier=1":  "a",
		"label.variant=blue,label.tier=2":  "",
		"zone=z1, version=2, status=up":    "",
		"zone=nowhere":                     "",
		"status=contradicted|unconfirmed":  "",
		"label.tier=1,zone=z1,status=up":   "a",
		"label.variant=green,zone=z1":      "b",
		"status=starting,label.variant=no": "",
	} {
		selector, err := discovery.ParseSelector(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var got []string
		for _, m := range selector.Select(d, "s") {
			got = append(got, m.ID)
		}
		if strings.Join(got, "") != want {
			t.Errorf("%q chose %v, want %s", text, got, want)
		}
	}
	for _, text := range []string{"zone", "zone=", "=z1", "colour=red", "label.=x", "status=well", ",", "zone=z1,"} {
		_, err := discovery.ParseSelector(text)
		if _, ok := errors.AsType[*discovery.SelectorError](err); !ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
