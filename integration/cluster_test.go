// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/coord/mirror"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// cluster is an etcd of three processes.
type cluster struct {
	t       *testing.T
	program string
	members []*etcdMember
}

type etcdMember struct {
	name, dir, client, peer string
	cmd                     *exec.Cmd
}

// startCluster builds etcd from its module and starts three members on loopback.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	c := &cluster{t: t, program: filepath.Join(dir, "etcd")}
	goTool(t, checkout(t), []string{"CGO_ENABLED=0"}, "build", "-o", c.program, "go.etcd.io/etcd/server/v3")
	var listeners []net.Listener // kept until all ports are chosen, so that none is chosen twice
	address := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		return "http://" + l.Addr().String()
	}
	for _, name := range []string{"a", "b", "c"} {
		c.members = append(c.members, &etcdMember{name: name, dir: filepath.Join(dir, name), client: address(), peer: address()})
	}
	for _, l := range listeners {
		l.Close()
	}
	t.Cleanup(func() {
		for _, m := range c.members {
			c.kill(m)
		}
	})
	for _, m := range c.members {
		c.start(m)
	}
	return c
}

func (c *cluster) start(m *etcdMember) {
	var all []string
	for _, o := range c.members {
		all = append(all, o.name+"="+o.peer)
	}
	m.cmd = exec.Command(c.program, "--name", m.name, "--data-dir", m.dir,
		"--listen-client-urls", m.client, "--advertise-client-urls", m.client,
		"--listen-peer-urls", m.peer, "--initial-advertise-peer-urls", m.peer, "--initial-cluster", strings.Join(all, ","),
		"--heartbeat-interval", "50", "--election-timeout", "500", "--unsafe-no-fsync", "--log-level", "error")
	log, err := os.OpenFile(m.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer log.Close()
	m.cmd.Stdout, m.cmd.Stderr = log, log
	if err := m.cmd.Start(); err != nil {
		c.t.Error(err)
		m.cmd = nil
	}
}

func (c *cluster) kill(m *etcdMember) {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait() // it was killed
		m.cmd = nil
	}
}

func (c *cluster) endpoints() []string {
	var all []string
	for _, m := range c.members {
		all = append(all, m.client)
	}
	return all
}

// leader returns the member that leads, nil while none does.
func (c *cluster) leader(client *coord.Client) *etcdMember {
	for _, m := range c.members {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
		s, err := client.Etcd().Status(ctx, m.client)
		cancel()
		if err == nil && s.Leader == s.Header.MemberId {
			return m
		}
	}
	return nil
}

func (c *cluster) open(t *testing.T) *coord.Client {
	t.Helper()
	client, err := coord.Open(coord.WithEndpoints(c.endpoints()...), coord.WithNamespace("cluster"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // the cluster ends too
	return client
}

// TestALeaderIsKilledAgainAndAgain kills etcd's leader under load: what was acknowledged is
// there, mirrors come to what etcd has, registrations come back, and a lock excludes.
func TestALeaderIsKilledAgainAndAgain(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("under load", killLeaders)
	coordtest.Eventually(t, time.Minute, func() bool { return runtime.NumGoroutine() <= before },
		"of what was started no goroutine is left, beside the %d that there were", before)
}

func killLeaders(t *testing.T) {
	kills, every := 2, 4*time.Second
	if full() {
		kills, every = 12, 10*time.Second
	}
	c := startCluster(t)
	client := c.open(t)
	ready, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.Ready(ready); err != nil {
		t.Fatal(err)
	}

	const registrations, mirrors, writers = 20, 5, 4
	registrar := c.open(t)
	for i := range registrations {
		r, err := discovery.Etcd(registrar).Register(t.Context(), discovery.Instance{
			Service: "orders", ID: fmt.Sprint("orders-", i), Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:1"}},
		}, discovery.WithTTL(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_ = r.Close(ctx) // the cluster ends too
		}()
	}
	directory, err := discovery.Etcd(c.open(t)).Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	var copies []*mirror.Mirror[string]
	for range mirrors {
		m, err := mirror.Open(t.Context(), c.open(t), "kv/", func(_ string, v []byte) (string, error) { return string(v), nil })
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		copies = append(copies, m)
	}

	load, stop := context.WithCancel(t.Context())
	defer stop()
	var working sync.WaitGroup
	var acknowledged [writers]atomic.Int64
	var writes, inside, overlaps, held atomic.Int64
	for w := range writers {
		own := c.open(t)
		working.Go(func() {
			store, locks := kv.Open(own), lock.Open(own)
			defer store.Close()
			defer locks.Close()
			for n := int64(1); load.Err() == nil; n++ {
				ctx, cancel := context.WithTimeout(load, 3*time.Second)
				if _, err := store.Put(ctx, fmt.Sprint("w", w), []byte(strconv.FormatInt(n, 10))); err == nil {
					acknowledged[w].Store(n)
					writes.Add(1)
				}
				_ = lock.Do(ctx, locks, "l", func(ctx context.Context) error {
					if inside.Add(1) > 1 && ctx.Err() == nil {
						overlaps.Add(1)
					}
					held.Add(1)
					inside.Add(-1)
					return nil
				})
				cancel()
			}
		})
	}
	for round := range kills {
		<-time.After(every) // the fault's rhythm
		var leader *etcdMember
		coordtest.Eventually(t, time.Minute, func() bool { leader = c.leader(client); return leader != nil }, "round %d: there is a leader", round)
		before := writes.Load()
		c.kill(leader)
		killed := time.Now()
		coordtest.Eventually(t, time.Minute, func() bool { return writes.Load() > before+10 }, "round %d: writes go on", round)
		t.Logf("round %d: writes went on %v after the leader %s was killed", round, time.Since(killed).Round(time.Millisecond), leader.name)
		c.start(leader)
	}
	stop()
	working.Wait()

	now, err := client.Etcd().Get(t.Context(), client.Key("kv")+"/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	for w := range writers {
		i := -1
		for at, e := range now.Kvs {
			if strings.HasSuffix(string(e.Key), fmt.Sprint("/w", w)) {
				i = at
			}
		}
		if want := acknowledged[w].Load(); i < 0 {
			t.Errorf("writer %d wrote up to %d, and there is nothing", w, want)
		} else if got, _ := strconv.ParseInt(string(now.Kvs[i].Value), 10, 64); got < want {
			t.Errorf("writer %d: %d is there, %d was acknowledged", w, got, want)
		}
	}
	for i, m := range copies {
		coordtest.Eventually(t, time.Minute, func() bool {
			if m.Len() != len(now.Kvs) {
				return false
			}
			for _, e := range now.Kvs {
				if v, ok := m.Get(strings.TrimPrefix(string(e.Key), client.Key("kv")+"/")); !ok || v != string(e.Value) {
					return false
				}
			}
			return true
		}, "mirror %d has what etcd has", i)
	}
	coordtest.Eventually(t, time.Minute, func() bool {
		n := 0
		for _, m := range directory.Members("orders") {
			if m.Status == discovery.Up && !m.Unconfirmed {
				n++
			}
		}
		return n == registrations
	}, "all %d registrations are there", registrations)
	if overlaps.Load() > 0 {
		t.Errorf("%d times two held the lock", overlaps.Load())
	}
	t.Logf("%d kills: %d writes acknowledged, %d times the lock was held, 0 lost", kills, writes.Load(), held.Load())
}
