// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/prometheus/client_golang/prometheus"
)

// BenchmarkDiscoveryFanout lets 100 clients watch 10,000 instances of 100 services, and
// measures from the registration of one more to the last client that has it.
func BenchmarkDiscoveryFanout(b *testing.B) {
	const instances, watchers, rounds = 10_000, 100, 50
	server := coordtest.Etcd(b)
	c := coordtest.Client(b, server)
	registry := discovery.Etcd(c)
	register := func(service, id string) discovery.Registration {
		r, err := registry.Register(b.Context(), discovery.Instance{
			Service: service, ID: id, Version: "1.2.3", Zone: "zone-1", Labels: map[string]string{"variant": "blue"},
			Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "10.0.0.1:8080"}},
		}, discovery.WithTTL(time.Minute))
		if err != nil {
			b.Fatal(err)
		}
		return r
	}
	var all []discovery.Registration
	for i := range instances {
		all = append(all, register(fmt.Sprintf("service-%02d", i%100), fmt.Sprintf("instance-%05d", i)))
	}
	for _, r := range all {
		<-r.Registered()
	}
	heap := func() float64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return float64(s.HeapAlloc)
	}
	before := heap()
	directories := make([]discovery.Directory, watchers)
	for i := range directories {
		watcher := coordtest.Client(b, server, coord.WithNamespace(c.Namespace()))
		d, err := discovery.Etcd(watcher).Directory(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = d.Close() }) // the server ends too
		directories[i] = d
	}
	for _, d := range directories {
		if err := d.WaitReady(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	each := (heap() - before) / watchers
	late := 0
	b.Run(fmt.Sprintf("instances=%d/watchers=%d", instances, watchers), func(b *testing.B) {
		var took []time.Duration
		for range rounds {
			late++
			began := time.Now()
			r := register("service-00", fmt.Sprintf("late-%d", late))
			for _, d := range directories {
				updates := d.Updates(b.Context())
				for len(d.Members("service-00")) != instances/100+late {
					<-updates
				}
			}
			took = append(took, time.Since(began))
			all = append(all, r)
		}
		slices.Sort(took)
		b.ReportMetric(took[rounds/2].Seconds()*1000, "p50-ms")
		b.ReportMetric(took[rounds*99/100].Seconds()*1000, "p99-ms")
		b.ReportMetric(each/1e6, "MB/watcher")
		b.ReportMetric(0, "ns/op")
	})
	b.Run("idle", func(b *testing.B) { // nothing changes: renewals, and questions whether all is current
		const long = 20 * time.Second
		before := handled(b)
		<-time.After(long)
		b.ReportMetric((handled(b)-before)/long.Seconds(), "etcd-ops/s")
		b.ReportMetric(0, "ns/op")
	})
	server.Stop() // the registrations have nobody to say goodbye to
	for _, r := range all {
		ctx, cancel := context.WithTimeout(b.Context(), time.Millisecond)
		_ = r.Close(ctx)
		cancel()
	}
}

// handled returns how many requests and messages etcd, which runs in this process, has taken.
func handled(b *testing.B) float64 {
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		b.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() == "grpc_server_msg_received_total" {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
