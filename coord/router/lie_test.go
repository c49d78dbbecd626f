// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/internal/loadreport"
)

// honest lets a peer say what is there: the requests of all routers in flight.
func honest(p *peer, takes time.Duration) {
	p.takes.Store(int64(takes))
	p.load = func() string {
		r := loadreport.Report{InFlight: int(p.busy.Load()), AtArrival: -1, Latency: takes}
		return string(r.AppendText(nil))
	}
}

// shareOf returns which part of the requests a peer gets that is one of ten, from so many
// routers with five callers each, over four seconds after the first two.
func shareOf(t *testing.T, routers int, opts []router.Option, liar func(*peer)) float64 {
	t.Helper()
	share := 0.0
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var peers []*peer
		for i := range 10 {
			p := n.join(fmt.Sprint("i", i))
			honest(p, 20*time.Millisecond)
			peers = append(peers, p)
		}
		liar(peers[0])
		var callers sync.WaitGroup
		began := time.Now()
		for range routers {
			_, client, _ := on(t, n, table(t, instances(peers...)...), opts...)
			for range 5 {
				callers.Go(func() {
					for time.Since(began) < 6*time.Second {
						_, _ = send(t, client, http.MethodGet)
						time.Sleep(rand.N(40 * time.Millisecond))
					}
				})
			}
		}
		time.Sleep(2 * time.Second)
		for _, p := range peers {
			p.served.Store(0)
		}
		callers.Wait()
		share = float64(peers[0].served.Load()) / float64(served(peers...))
	})
	return share
}

func TestAServerThatLiesAboutItsLoadGetsNoMoreThanItsShare(t *testing.T) {
	capacities := func() []router.Option {
		fleet := signal.Memory()
		var list []signal.Instance
		for i := range 10 {
			list = append(list, signal.Instance{ID: fmt.Sprint("i", i), ServiceDemand: 5 * time.Millisecond, Parallelism: 8})
		}
		if err := fleet.Put(&signal.Share{Service: "orders", Collector: "c1", Shards: 1, Instances: list}); err != nil {
			t.Fatal(err)
		}
		return []router.Option{router.WithSignals(fleet)}
	}
	for name, liar := range map[string]func(*peer){
		"none, and it is ten times slower":              func(p *peer) { p.takes.Store(int64(200 * time.Millisecond)); p.load = nil },
		"zero for ever, and it is ten times slower":     func(p *peer) { p.takes.Store(int64(200 * time.Millisecond)); p.load = saying(0, 0) },
		"zero for ever, and it is three times slower":   func(p *peer) { p.takes.Store(int64(60 * time.Millisecond)); p.load = saying(0, 0) },
		"idle and fast, and it is ten times slower":     func(p *peer) { p.takes.Store(int64(200 * time.Millisecond)); p.load = saying(0, time.Millisecond) },
		"idle and like the others, and it is ten times": func(p *peer) { p.takes.Store(int64(200 * time.Millisecond)); p.load = saying(0, 20*time.Millisecond) },
		"zero, and it fails a third at once": func(p *peer) {
			p.takes.Store(int64(time.Millisecond))
			p.load = saying(0, time.Millisecond)
			p.fails.Store(33)
		},
		"the truth, and it fails a third at once": func(p *peer) { honest(p, time.Millisecond); p.fails.Store(33) },
	} {
		for by, opts := range map[string]func() []router.Option{"without signals": func() []router.Option { return nil }, "with signals": capacities} {
			for _, routers := range []int{1, 8} {
				t.Run(fmt.Sprintf("%s/%s/%d routers", name, by, routers), func(t *testing.T) {
					share := shareOf(t, routers, append(opts(), router.WithRules(documentOf(t, "ejection: {mode: off}"))), liar)
					if share > 0.12 {
						t.Errorf("it got %.3f of the requests, want at most a tenth", share)
					}
				})
			}
		}
	}
}
