// SPDX-License-Identifier: Apache-2.0

package discovery_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

func instance(id string) discovery.Instance {
	return discovery.Instance{Service: "orders", ID: id, Zone: "z1", Labels: map[string]string{"variant": "blue"},
		Endpoints: []discovery.Endpoint{{Protocol: discovery.GRPC, Address: "127.0.0.1:1"}}}
}

func register(t *testing.T, c *coord.Client, id string, opts ...discovery.RegisterOption) discovery.Registration {
	t.Helper()
	r, err := discovery.Etcd(c).Register(t.Context(), instance(id), append([]discovery.RegisterOption{discovery.WithTTL(2 * time.Second)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(r) })
	return r
}

func closeNow(r discovery.Registration) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return r.Close(ctx)
}

func directory(t *testing.T, c *coord.Client) discovery.Directory {
	t.Helper()
	d, err := discovery.Etcd(c).Directory(t.Context()) // the TTL is in the records
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// sees waits until the directory has so many confirmed and unconfirmed members.
func sees(t *testing.T, d discovery.Directory, confirmed, unconfirmed int) {
	t.Helper()
	var c, u int
	coordtest.Eventually(t, patience, func() bool {
		c, u = 0, 0
		for _, m := range d.Members("orders") {
			if m.Unconfirmed {
				u++
			} else {
				c++
			}
		}
		return c == confirmed && u == unconfirmed
	}, "%d confirmed and %d unconfirmed members", confirmed, unconfirmed)
}

func TestConformanceOfMemory(t *testing.T) {
	coordtest.Discovery(t, func(*testing.T) discovery.Registry { return discovery.Memory() })
}

func TestConformanceOfEtcd(t *testing.T) {
	server := coordtest.Etcd(t)
	coordtest.Discovery(t, func(t *testing.T) discovery.Registry { return discovery.Etcd(coordtest.Client(t, server)) })
}

func TestADeletedKeyIsAnnouncedAgain(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	d := directory(t, c)
	register(t, c, "a")
	sees(t, d, 1, 0)
	resp, err := c.Etcd().Delete(t.Context(), c.Key("discovery", "orders", "a"))
	if err != nil || resp.Deleted != 1 {
		t.Fatal(resp, err)
	}
	coordtest.Eventually(t, patience, func() bool {
		got, err := c.Etcd().Get(t.Context(), c.Key("discovery", "orders", "a"))
		return err == nil && len(got.Kvs) == 1
	}, "the key is back")
}

func TestAnInstanceIsAnnouncedAgainAfterEtcdLostItsData(t *testing.T) {
	s := coordtest.Etcd(t)
	c := coordtest.Client(t, s)
	d := directory(t, c)
	register(t, c, "a")
	register(t, c, "b")
	sees(t, d, 2, 0)
	s.Stop()
	s.Wipe()
	s.Start()
	sees(t, d, 2, 0)
}

func TestOfTenWhoseLeasesExpireNineAreHeld(t *testing.T) {
	s := coordtest.Etcd(t)
	direct := coordtest.Client(t, s)
	proxy := coordtest.NewProxy(t, s.Address())
	cut := coordtest.Client(t, s, coord.WithEndpoints(proxy.Endpoint()), coord.WithNamespace(direct.Namespace()))
	d := directory(t, direct)
	register(t, direct, "0")
	for i := 1; i < 10; i++ {
		register(t, cut, fmt.Sprint(i))
	}
	sees(t, d, 10, 0)
	proxy.BlackHole()
	sees(t, d, 1, 9)
	proxy.Heal()
	sees(t, d, 10, 0)
}

func TestAnInstanceIsBackSoonAfterItsConnectionIs(t *testing.T) {
	s := coordtest.Etcd(t)
	direct := coordtest.Client(t, s)
	proxy := coordtest.NewProxy(t, s.Address())
	cut := coordtest.Client(t, s, coord.WithEndpoints(proxy.Endpoint()), coord.WithNamespace(direct.Namespace()))
	r := register(t, cut, "a", discovery.WithTTL(30*time.Second)) // so that no renewal is due
	<-r.Registered()
	key := direct.Key("discovery", "orders", "a")
	there := func() *clientv3.GetResponse {
		got, err := direct.Etcd().Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	proxy.Cut()
	if err := r.Update(func(in *discovery.Instance) { in.Weight = 2 }); err != nil { // it notices
		t.Fatal(err)
	}
	if _, err := direct.Etcd().Revoke(t.Context(), clientv3.LeaseID(there().Kvs[0].Lease)); err != nil {
		t.Fatal(err)
	}
	proxy.Heal()
	healed := time.Now()
	coordtest.Eventually(t, patience, func() bool { return len(there().Kvs) == 1 }, "the key is back")
	if took := time.Since(healed); took > 3*time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Logf("it took %v", took)
	}
}

func TestThoseWhoSayThatTheyGoAreNotHeld(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	d := directory(t, c)
	var all []discovery.Registration
	for i := range 5 {
		all = append(all, register(t, c, fmt.Sprint(i)))
	}
	sees(t, d, 5, 0)
	for _, r := range all[1:] {
		if err := closeNow(r); err != nil {
			t.Fatal(err)
		}
	}
	sees(t, d, 1, 0)
}

func TestRegistrationDoesNotWaitForEtcd(t *testing.T) {
	s := coordtest.Etcd(t)
	c := coordtest.Client(t, s)
	s.Stop()
	began := time.Now()
	r := register(t, c, "a")
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("Register took %v with etcd away", took)
	}
	s.Start()
	select {
	case <-r.Registered():
	case <-time.After(patience):
		t.Fatal("not registered after etcd came")
	}
}

func TestAnInstanceUnderAnothersKeyIsKeptOut(t *testing.T) {
	c := coordtest.Client(t, coordtest.Etcd(t))
	d := directory(t, c)
	register(t, c, "a")
	sees(t, d, 1, 0)
	got, err := c.Etcd().Get(t.Context(), c.Key("discovery", "orders", "a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Etcd().Do(t.Context(), clientv3.OpPut(c.Key("discovery", "orders", "b"), string(got.Kvs[0].Value))); err != nil {
		t.Fatal(err)
	}
	register(t, c, "c")
	sees(t, d, 2, 0)
}

func Example() {
	table, err := discovery.Static(discovery.Instance{
		Service:   "orders",
		ID:        "orders-1",
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:8080"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range table.Members("orders") {
		fmt.Println(m.ID, m.Status, m.Address(discovery.HTTP))
	}
	// Output: orders-1 up 127.0.0.1:8080
}
