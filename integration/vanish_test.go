// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// instance is one HTTP server of a service, which counts what it serves.
type instance struct {
	id     string
	served atomic.Int64
	server *http.Server
	lease  *coord.Client // its own connection, so that its registration can be ended alone
	reg    discovery.Registration
}

// TestNineOfTenLeasesExpireWhileTheirProcessesLive and then nine are killed. What a
// registration does when its lease goes is kept out by a proxy: to etcd the nine
// are dead.
func TestNineOfTenLeasesExpireWhileTheirProcessesLive(t *testing.T) {
	const n, rate, ttl = 10, 400, 5 * time.Second
	server := coordtest.Etcd(t)
	client := coordtest.Client(t, server)
	proxy := coordtest.NewProxy(t, server.Address())
	space := coord.WithNamespace(client.Namespace())
	var all []*instance
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		in := &instance{id: fmt.Sprintf("i%d", i)}
		in.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			in.served.Add(1)
			// All instances are alike: ten milliseconds of work, so that noise of the
			// machine does not look like one instance being better than another.
			select {
			case <-time.After(10 * time.Millisecond):
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, "ok")
		})}
		go func() { _ = in.server.Serve(l) }()
		t.Cleanup(func() { in.server.Close() })
		opts := []coord.Option{space}
		if i > 0 {
			opts = append(opts, coord.WithEndpoints(proxy.Endpoint()))
		}
		in.lease = coordtest.Client(t, server, opts...)
		in.reg, err = discovery.Etcd(in.lease).Register(t.Context(), discovery.Instance{
			Service: "s", ID: in.id, Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: l.Addr().String()}},
		}, discovery.WithTTL(ttl))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			_ = in.reg.Close(ctx) // behind a cut connection it cannot
		})
		<-in.reg.Registered()
		all = append(all, in)
	}
	directory, err := discovery.Etcd(client).Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	r, err := router.New(directory, router.WithEjectionBase(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Ready(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, 30*time.Second, func() bool { return len(directory.Members("s")) == n }, "all are known")

	var failed atomic.Int64
	base := &http.Transport{MaxIdleConnsPerHost: 16}
	defer base.CloseIdleConnections()
	h := &http.Client{Transport: r.Transport(base), Timeout: 2 * time.Second}
	drive := func(requests int) {
		var wg sync.WaitGroup
		tick := time.NewTicker(time.Second / rate)
		defer tick.Stop()
		for range requests {
			<-tick.C
			wg.Go(func() {
				resp, err := h.Get("http://s/")
				if err != nil {
					failed.Add(1)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			})
		}
		wg.Wait()
	}
	drive(400) // connections are made

	proxy.BlackHole()
	coordtest.Eventually(t, 60*time.Second, func() bool {
		resp, err := client.Etcd().Get(t.Context(), client.Key("discovery", "s")+"/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		return err == nil && resp.Count == 1
	}, "nine leases expired")
	for _, in := range all {
		in.served.Store(0)
	}
	failed.Store(0)
	const requests = 4000
	drive(requests)
	most := 0.0
	for _, in := range all {
		most = max(most, float64(in.served.Load())/(requests/n))
	}
	t.Logf("nine of ten leases expired: the busiest got %.2f times its share, %d of %d requests failed", most, failed.Load(), requests)
	if most > 1.2 || failed.Load() > 0 {
		t.Errorf("want at most 1.2 times the share, and no failures")
	}

	for _, in := range all[1:] {
		_ = in.server.Close()
	}
	failed.Store(0)
	drive(2000)
	t.Logf("then nine were killed: %d of 2000 requests failed", failed.Load())
	if f := failed.Load(); f > 200 {
		t.Errorf("%d requests failed", f)
	}
	proxy.Heal()
}
