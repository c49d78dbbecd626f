// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"context"
	"testing"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
)

// held is a directory of which all but the first have vanished together.
type held struct {
	*discovery.Table
}

func (h held) Members(service string) []discovery.Member {
	members := append([]discovery.Member(nil), h.Table.Members(service)...)
	for i := range members {
		members[i].Unconfirmed = i > 0
	}
	return members
}

func TestInstancesThatVanishedAreTriedOnceEach(t *testing.T) {
	var instances []discovery.Instance
	for _, id := range []string{"a", "b", "c", "d"} {
		b := newBackend(t, id)
		instances = append(instances, b.Instance)
		if id == "b" || id == "c" { // d is alive, whatever etcd says
			b.server.Close()
		}
	}
	r, client, _ := newRouter(t, held{table(t, instances...)})
	failed := 0
	served := make(map[string]int)
	for range 200 {
		if id, err := get(t, client, "/"); err != nil {
			failed++
		} else {
			served[id]++
		}
	}
	if failed > 6 { // one each, and a probe each or two
		t.Errorf("%d of 200 requests failed", failed)
	}
	if c := stateOf(t, r, "d"); c.State != router.Active || served["a"] == 0 || served["d"] == 0 {
		t.Errorf("served %v; the one that lives is %s", served, c.State)
	}
}

func TestAnUnconfirmedInstanceThatRefusesConnectionsLeavesTheRotation(t *testing.T) {
	a, b := newRPCBackend(t, "a", "127.0.0.1:0"), newRPCBackend(t, "b", "127.0.0.1:0")
	b.server.Stop()
	r, _, _ := newRouter(t, held{table(t, a.Instance, b.Instance)})
	client := dial(t, r)
	coordtest.Eventually(t, patience, func() bool {
		if err := check(context.Background(), client, ""); err != nil {
			t.Error(err)
		}
		return stateOf(t, r, "b").Reason == "unconfirmed_refused"
	}, "b is out without a request")
}
