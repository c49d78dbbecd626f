package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/integration/peers/routesim/internal/ours"
	"github.com/otelplat/platform/integration/peers/routesim/internal/peer"
	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

func main() {
	pol := flag.String("policies", "prequal,a3,a2,a1,a0", "")
	seeds := flag.Int("seeds", 3, "")
	clients := flag.Int("clients", 100, "")
	disc := flag.String("discipline", "ps", "")
	mix := flag.Bool("mix", false, "")
	wait := flag.Duration("wait", 0, "")
	episode := flag.Duration("episode", 20*time.Second, "")
	loads := flag.String("loads", "0.70,0.90,1.03,1.27,1.74", "")
	stock := flag.Float64("stock", 0, "")
	flag.Parse()
	a := func(n float64) func() sim.Family {
		return func() sim.Family {
			return ours.Family(func() balance.Policy { return balance.NewAdaptive(balance.AdaptiveOptions{ProbesPerRequest: n}) }, ours.WithoutCPUTime(*stock))
		}
	}
	all := map[string]func() sim.Family{"random": peer.Random, "rr": peer.RoundRobin, "wrr": peer.WeightedRoundRobin, "p2c-ll": peer.LeastLoaded, "p2c-ewma": peer.PeakEWMA, "prequal": peer.Prequal, "oracle": peer.Oracle, "a3": a(3), "a2": a(2), "a1": a(1), "a0": a(0)}
	for _, n := range strings.Split(*pol, ",") {
		fmt.Printf("%-8s", n)
		t := time.Now()
		for _, ls := range strings.Split(*loads, ",") {
			var l float64
			fmt.Sscan(ls, &l)
			var p99, p999 []time.Duration
			var errs float64
			var msgs, reqs int
			for s := range *seeds {
				c := sim.Defaults()
				c.Load, c.Seed, c.Clients, c.Discipline, c.Mix, c.Wait, c.Episode = l, uint64(s+1), *clients, sim.Discipline(*disc), *mix, *wait, *episode
				r, err := sim.Run(c, all[n]())
				if err != nil {
					panic(err)
				}
				p99 = append(p99, r.Quantile(.99))
				p999 = append(p999, r.Quantile(.999))
				errs = max(errs, r.ErrorRatio())
				msgs += r.Messages
				reqs += r.Requests
			}
			slices.Sort(p99)
			slices.Sort(p999)
			fmt.Printf(" %4d/%4d e%.2f%% m%.1f |", p99[len(p99)/2].Milliseconds(), p999[len(p999)/2].Milliseconds(), 100*errs, float64(msgs)/float64(reqs))
		}
		fmt.Println(time.Since(t).Round(time.Millisecond))
	}
}
