// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"slices"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/election"
)

// BenchmarkElectionFailover measures from the end of one leader to the beginning of the
// next: one that resigns, and one that vanishes from the network, with a lease of 5 s.
func BenchmarkElectionFailover(b *testing.B) {
	const ttl = 5 * time.Second
	server := coordtest.Etcd(b)
	space := coordtest.Client(b, server).Namespace()
	open := func(b *testing.B, id string, opts ...coord.Option) election.Elector {
		c := coordtest.Client(b, server, append([]coord.Option{coord.WithNamespace(space)}, opts...)...)
		e, err := election.Open(c, election.Candidate{ID: id}, election.WithTTL(ttl))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = e.Close() }) // behind a cut connection it cannot resign
		return e
	}
	rounds := func(b *testing.B, n int, round func() time.Duration) {
		var took []time.Duration
		for range n {
			took = append(took, round())
		}
		slices.Sort(took)
		b.ReportMetric(took[n/2].Seconds()*1000, "p50-ms")
		b.ReportMetric(took[n-1].Seconds()*1000, "max-ms")
		b.ReportMetric(0, "ns/op")
	}
	// next returns when b leads, after it was seen to wait.
	next := func(b *testing.B, e election.Elector, end func()) time.Duration {
		elected := make(chan *election.Leadership, 1)
		go func() {
			l, err := e.Campaign(b.Context(), "e")
			if err != nil {
				b.Error(err)
			}
			elected <- l
		}()
		coordtest.Eventually(b, time.Minute, func() bool { return e.Status("e") == election.CandidateOnly }, "the next stands")
		began := time.Now()
		end()
		l := <-elected
		took := time.Since(began)
		if l == nil || l.Resign(b.Context()) != nil {
			b.Fatal("the next did not lead")
		}
		return took
	}
	b.Run("resign", func(b *testing.B) {
		first, second := open(b, "a"), open(b, "b")
		rounds(b, 20, func() time.Duration {
			l, err := first.Campaign(b.Context(), "e")
			if err != nil {
				b.Fatal(err)
			}
			return next(b, second, func() {
				if err := l.Resign(b.Context()); err != nil {
					b.Error(err)
				}
			})
		})
	})
	b.Run("vanish", func(b *testing.B) {
		second := open(b, "b")
		rounds(b, 5, func() time.Duration {
			proxy := coordtest.NewProxy(b, server.Address())
			first := open(b, "a", coord.WithEndpoints(proxy.Endpoint()))
			if _, err := first.Campaign(b.Context(), "e"); err != nil {
				b.Fatal(err)
			}
			return next(b, second, proxy.BlackHole)
		})
	})
}
