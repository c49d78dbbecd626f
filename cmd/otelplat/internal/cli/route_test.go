// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/signal"
)

// fleet is an etcd with instances of inventory, and a command line that works on it.
type fleet struct {
	*testing.T
	client *coord.Client
}

func newFleet(t *testing.T, instances ...string) *fleet {
	server := coordtest.Etcd(t)
	t.Setenv("OTELPLAT_ETCD_ENDPOINTS", server.Endpoint())
	client, err := coord.Open(coord.WithEndpoints(server.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	for _, id := range instances {
		reg, err := discovery.Etcd(client).Register(t.Context(), discovery.Instance{
			Service: "inventory", ID: id, Endpoints: []discovery.Endpoint{{Protocol: discovery.GRPC, Address: "127.0.0.1:1"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { reg.Close(context.Background()) })
		select {
		case <-reg.Registered():
		case <-time.After(30 * time.Second):
			t.Fatal("not registered")
		}
	}
	return &fleet{t, client}
}

// says runs a command and checks its code and what it prints, on either stream.
func (f *fleet) says(code int, want string, args ...string) string {
	f.Helper()
	var stdout, stderr bytes.Buffer
	got := Main(args, &stdout, &stderr)
	all := stdout.String() + stderr.String()
	if got != code || !regexp.MustCompile(want).MatchString(all) {
		f.Errorf("%s: code %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, want, all)
	}
	return stdout.String()
}

// publish writes what a collector knows: whether the service, and an instance, are bad.
func (f *fleet) publish(scope, instance signal.State) {
	f.Helper()
	evidence := func(s signal.State) signal.Evidence {
		if s != signal.Bad {
			return signal.Evidence{}
		}
		return signal.Evidence{Seconds: 1, Requests: 40, Failures: 30, Callers: []signal.Caller{{Hash: 1, Requests: 40, Failures: 30}}}
	}
	share := &signal.Share{Service: "inventory", Collector: "c1", Shards: 1,
		Instances: []signal.Instance{{ID: "inventory-1", Evidence: evidence(instance), Latch: signal.Latch{State: instance, Episode: 1, Hold: time.Minute}}},
		Scopes:    []signal.Scope{{Evidence: evidence(scope), Latch: signal.Latch{State: scope, Episode: 1, Hold: time.Minute}}},
	}
	if _, err := f.client.Etcd().Put(f.Context(), f.client.Prefix()+signal.Key("inventory", 0, 1, "c1"), string(signal.Encode(share))); err != nil {
		f.Fatal(err)
	}
}

func TestAnInstanceIsTakenOutForAWhile(t *testing.T) {
	f := newFleet(t, "inventory-1", "inventory-2", "inventory-3", "inventory-4")
	eject := func(instance string, more ...string) []string {
		return append([]string{"route", "eject", "inventory", instance, "--for", "10m", "--reason", "its disk fails"}, more...)
	}
	f.says(ExitOK, `^inventory-1 of inventory would be out of rotation until ..:..:.., for 10m0s\n$`, eject("inventory-1", "--dry-run")...)
	if held, err := override.List(t.Context(), f.client, ""); err != nil || len(held) != 0 {
		t.Errorf("a dry run forced %v, %v", held, err)
	}
	f.says(ExitOK, `^inventory-1 of inventory is out of rotation until ..:..:.., for 10m[0-9]s\n$`, eject("inventory-1")...)
	f.says(ExitOK, `in place of: ejected for 9m5.s more|in place of: ejected for 10m., by .*: its disk fails`, eject("inventory-1")...)
	f.says(ExitOK, `^inventory-2`, eject("inventory-2")...)
	f.says(ExitOK, `^warning: of the 4 instances of inventory in service, 1 stay in rotation: fewer than half\ninventory-3 of inventory is out`, eject("inventory-3")...)
	f.says(ExitOK, `inventory +eject.inventory-3 +ejected +(9m|10m)[0-9]+s? `, "route", "ls")
	f.says(ExitOK, `inventory-1 .*ejected by an operator +0.00 .*its disk fails`, "route", "explain", "inventory", "--grpc", "/a.B/C")
	f.says(ExitOK, `one of inventory-4\n`, "route", "explain", "inventory", "--grpc", "/a.B/C")
	f.says(ExitOK, `kept out by no operator any more`, "route", "restore", "inventory", "inventory-3")
	f.says(ExitNotFound, `no operator keeps inventory-3`, "route", "restore", "inventory", "inventory-3")
	f.says(ExitOK, `one of inventory-3, inventory-4\n`, "route", "explain", "inventory", "--grpc", "/a.B/C")
	f.says(ExitUsage, `--for 100ms is not between 1s and 24h0m0s`, "route", "eject", "inventory", "inventory-1", "--for", "100ms", "--reason", "x")
	f.says(ExitOK, `(?m)^inventory-1\ninventory-2\ninventory-3\ninventory-4$`, "__complete", "route", "eject", "inventory", "")
	f.says(ExitOK, `^inventory-1\ninventory-2\n:`, "__complete", "route", "restore", "inventory", "")
	f.says(ExitOK, `^inventory\n:`, "__complete", "route", "explain", "")
}

func TestWhatTheFleetKeepsOutCountsAsOut(t *testing.T) {
	f := newFleet(t, "inventory-1", "inventory-2", "inventory-3")
	f.publish(signal.Good, signal.Bad)
	f.says(ExitOK, `warning: of the 3 instances of inventory in service, 1 stay in rotation`,
		"route", "eject", "inventory", "inventory-2", "--for", "1m", "--reason", "x", "--dry-run")
	f.says(ExitOK, `inventory-1 .*ejected by the fleet .*fleet verdict; fleet: bad: 1 of 1 callers saw it bad, 30 of 40 requests failed`,
		"route", "explain", "inventory")
}

func TestABreakerThatTheFleetOpenedIsShown(t *testing.T) {
	f := newFleet(t, "inventory-1")
	f.says(ExitOK, `^SERVICE .*\n$`, "route", "ls")
	f.publish(signal.Bad, signal.Good)
	f.says(ExitOK, `inventory +defaults +adaptive +- +open\n\ninventory: the service is open, episode 1: 1 of 1 callers saw it bad`, "route", "ls")
	f.says(ExitOK, `the service is open \(fleet\): 0 % of the requests go; 30 of 40 requests failed`, "route", "explain", "inventory")
	f.says(ExitOK, `forced closed`, "route", "breaker", "inventory", "close", "--for", "1m", "--reason", "the load test's failures")
	f.says(ExitOK, `the service is closed \(forced\): 100 %`, "route", "explain", "inventory")
	var rows []struct {
		Service  string
		Breakers []struct {
			State string
			Admit float64
		}
		Overrides []struct {
			Target, State string
			Left          float64 `json:"left_seconds"`
		}
	}
	if err := json.Unmarshal([]byte(f.says(ExitOK, ``, "route", "ls", "-o", "json")), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || rows[0].Breakers[0].State != "open" || rows[0].Breakers[0].Admit != 0 ||
		rows[0].Overrides[0].Target != "breaker" || rows[0].Overrides[0].State != "closed" || rows[0].Overrides[0].Left < 1 {
		t.Errorf("%+v", rows)
	}
}
