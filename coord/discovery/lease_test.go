// SPDX-License-Identifier: Apache-2.0

package discovery_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/otelplat/semconv"
)

// A process has one lease, however much it announces; and gives it up with the last.
func TestRegistrationsOfAProcessShareALease(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	d := directory(t, c)
	var all []discovery.Registration
	for i := range 20 {
		all = append(all, register(t, c, fmt.Sprint(i)))
	}
	sees(t, d, 20, 0)
	leases := func() int {
		resp, err := c.Etcd().Leases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(resp.Leases)
	}
	if n := leases(); n != 1 {
		t.Errorf("%d leases for 20 registrations", n)
	}
	for i, r := range all {
		if err := closeNow(r); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			sees(t, d, 19, 0)
		}
	}
	sees(t, d, 0, 0)
	if n := leases(); n != 0 {
		t.Errorf("%d leases when all are closed", n)
	}
}

// When the lease is revoked all come back, each once, under a new one.
func TestARevokedLeaseIsReplaced(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	d := directory(t, c)
	for i := range 5 {
		register(t, c, fmt.Sprint(i))
	}
	sees(t, d, 5, 0)
	resp, err := c.Etcd().Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range resp.Leases {
		if _, err := c.Etcd().Revoke(t.Context(), l.ID); err != nil {
			t.Fatal(err)
		}
	}
	coordtest.Eventually(t, patience, func() bool {
		resp, err := c.Etcd().Get(t.Context(), c.Key("discovery", "orders", "4"))
		return err == nil && len(resp.Kvs) == 1 && resp.Kvs[0].Version == 1 && resp.Kvs[0].CreateRevision > 7
	}, "the last is announced again")
	sees(t, d, 5, 0)
}

// Another process took the id: its announcement is not this one's to delete.
func TestCloseLeavesWhatAnotherAnnounced(t *testing.T) {
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	other := coordtest.Client(t, server, coord.WithNamespace(c.Namespace()))
	d := directory(t, c)
	first := register(t, c, "a")
	<-first.Registered()
	second := register(t, other, "a")
	<-second.Registered()
	if err := closeNow(first); err != nil {
		t.Fatal(err)
	}
	sees(t, d, 1, 0)
	if m := d.Members("orders")[0]; m.Status != discovery.Up {
		t.Errorf("the second is %s", m.Status)
	}
}

func TestTheLastRenewalIsSeen(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	d := directory(t, c)
	r := register(t, c, "a", discovery.WithTTL(time.Minute))
	sees(t, d, 1, 0)
	m := d.Members("orders")[0]
	at, err := discovery.LastRenewal(t.Context(), c, &m)
	if age := time.Since(at); err != nil || age < -time.Second || age > 10*time.Second {
		t.Errorf("renewed %v ago, %v", age, err)
	}
	if err := closeNow(r); err != nil {
		t.Fatal(err)
	}
	if _, err := discovery.LastRenewal(t.Context(), c, &m); !errors.Is(err, discovery.ErrNotRenewed) {
		t.Errorf("after it went: %v", err)
	}
	if _, err := discovery.LastRenewal(t.Context(), c, &discovery.Member{}); !errors.Is(err, discovery.ErrNotRenewed) {
		t.Errorf("without a lease: %v", err)
	}
}

// An instance whose process vanished goes silent; it returns when it is announced again.
func TestSilenceAndReturnAreTold(t *testing.T) {
	events := coordtest.Events(t)
	server := coordtest.Etcd(t)
	c := coordtest.Client(t, server)
	proxy := coordtest.NewProxy(t, server.Address())
	far := coordtest.Client(t, server, coord.WithNamespace(c.Namespace()), coord.WithEndpoints(proxy.Endpoint()))
	d, err := discovery.Etcd(c).Directory(t.Context(), discovery.WithEvents())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, id := range []string{"x", "y", "z"} {
		register(t, c, id)
	}
	register(t, far, "a")
	sees(t, d, 4, 0)
	proxy.BlackHole()
	events.Wait(t, semconv.EventDiscoverySilent, "a")
	proxy.Heal()
	events.Wait(t, semconv.EventDiscoveryReturn, "a")
	if n := events.Count(semconv.EventDiscoveryLeave, "a"); n != 0 {
		t.Errorf("%d times it was said to leave", n)
	}
}

// A process that starts while etcd is away knows the instances that it knew before.
func TestADirectoryStartsFromItsSavedState(t *testing.T) {
	dir := t.TempDir()
	server := coordtest.Etcd(t)
	proxy := coordtest.NewProxy(t, server.Address())
	c := coordtest.Client(t, server, coord.WithEndpoints(proxy.Endpoint()), coord.WithStateDir(dir))
	register(t, c, "a")
	before := directory(t, c)
	sees(t, before, 1, 0)
	if err := before.Close(); err != nil { // saves
		t.Fatal(err)
	}
	proxy.BlackHole()
	after := directory(t, c)
	if err := after.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	sees(t, after, 1, 0)
	if m := after.Members("orders")[0]; m.Zone != "z1" || m.Address(discovery.GRPC) != "127.0.0.1:1" {
		t.Errorf("from the saved state: %+v", m)
	}
	proxy.Heal()
}
