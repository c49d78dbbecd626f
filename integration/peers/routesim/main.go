package main

import (
	"fmt"
	"time"
	"os"

	"github.com/otelplat/platform/integration/peers/routesim/internal/peer"
	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

func main() {
	for _, p := range []struct {
		n string
		f func() sim.Family
	}{{"random", peer.Random}, {"rr", peer.RoundRobin}, {"wrr", peer.WeightedRoundRobin}, {"p2c-ll", peer.LeastLoaded}, {"p2c-ewma", peer.PeakEWMA}, {"prequal", peer.Prequal}, {"oracle", peer.Oracle}} {
		if len(os.Args) > 1 && os.Args[1] != p.n { continue }
		for _, l := range []float64{.7, .9, 1.03, 1.27, 1.74} {
			c := sim.Defaults()
			c.Load = l
			t := time.Now()
			r, err := sim.Run(c, p.f())
			if err != nil {
				panic(err)
			}
			fmt.Printf("%-10s %.2f p99 %4d p999 %4d err %.3f%% (%d) %v\n", p.n, l, r.Quantile(.99).Milliseconds(), r.Quantile(.999).Milliseconds(), 100*r.ErrorRatio(), r.Requests, time.Since(t).Round(time.Millisecond))
		}
	}
}
