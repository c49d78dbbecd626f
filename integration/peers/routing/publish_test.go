// SPDX-License-Identifier: Apache-2.0

package routing_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/internal/loadreport"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// collector stands in for collectors and etcd: once a second it takes what each client saw,
// as a caller of its own, and what the servers say of their capacity, and tells all clients by
// the product's own rules of evidence and verdict. A turn is shorter than a hold, so that a
// latch never ends. The real one is measured by integration's TestDetection.
type collector struct {
	servers []*grpc.ClientConn

	mu      sync.Mutex
	heard   [][][]seen // by client, of the last ten seconds, by server
	latched []*signal.Instance
}

func newCollector(t testing.TB, clients int, servers []listening) *collector {
	c := &collector{heard: make([][][]seen, clients), latched: make([]*signal.Instance, len(servers))}
	for _, s := range servers {
		cc, err := grpc.NewClient(s.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cc.Close() })
		c.servers = append(c.servers, cc)
	}
	return c
}

// hear takes in what a client saw in a second.
func (c *collector) hear(client int, s []seen) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := append(c.heard[client], s)
	c.heard[client] = h[max(0, len(h)-10):]
}

// run publishes once a second until the context ends.
func (c *collector) run(ctx context.Context, publish func(share []byte)) {
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		share := &signal.Share{Service: service, Collector: "c", Shards: 1}
		for i := range c.servers {
			share.Instances = append(share.Instances, c.instance(ctx, i, time.Since(began)))
		}
		publish(signal.Encode(share))
	}
}

func (c *collector) instance(ctx context.Context, server int, now time.Duration) signal.Instance {
	in := signal.Instance{ID: instanceID(server)}
	if r, err := loadreport.AskGRPC(ctx, c.servers[server]); err == nil {
		in.ServiceDemand, in.Parallelism = r.Demand, r.Parallelism
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, length := range []uint32{1, 10} {
		w := signal.Window{Seconds: length}
		for _, h := range c.heard {
			for _, s := range h[max(0, len(h)-int(length)):] {
				w.Requests += s[server].Requests
				w.Errors += s[server].Failures
				w.Busy += s[server].Busy
				w.Latency.Add(&s[server].Latency)
			}
		}
		if w.Requests > 0 {
			in.Windows = append(in.Windows, w)
		}
	}
	in.Evidence = c.evidence(server)
	if l := c.latched[server]; l != nil {
		in.Evidence, in.Latch = l.Evidence, l.Latch
		in.Latch.Age = now - l.Latch.Age // which holds when it began
	} else if signal.Judge(&in.Evidence, signal.MinRequests).State == signal.Bad {
		in.Latch = signal.Latch{State: signal.Bad, Episode: 1, Hold: signal.Hold(30*time.Second, 1)}
		l := in
		l.Latch.Age = now
		c.latched[server] = &l
	}
	return in
}

// evidence is that of the shortest time with enough requests.
func (c *collector) evidence(server int) (e signal.Evidence) {
	for length := uint32(1); length <= 10; length++ {
		e = signal.Evidence{Seconds: length}
		for i, h := range c.heard {
			caller := signal.Caller{Hash: signal.HashCaller(fmt.Sprint("client-", i))}
			for _, s := range h[max(0, len(h)-int(length)):] {
				caller.Requests += s[server].Requests
				caller.Failures += s[server].Failures
			}
			if caller.Requests == 0 {
				continue
			}
			e.Requests += caller.Requests
			e.Failures += caller.Failures
			e.Callers = append(e.Callers, caller)
		}
		slices.SortFunc(e.Callers, func(a, b signal.Caller) int { return cmp.Compare(a.Hash, b.Hash) })
		if e.Requests >= signal.MinRequests {
			break
		}
	}
	return e
}
