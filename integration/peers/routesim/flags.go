// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelplat/platform/integration/peers/routesim/internal/sim"
)

// The forms of the output.
const (
	asTable = "table"
	asJSON  = "json"
)

// plan is what to simulate: a workload for each seed and load, with each policy.
type plan struct {
	workload sim.Config // without seed and load
	seeds    []uint64
	loads    []float64
	policies []string
	ours     options
	cpus     int
	output   string
	plot     string // directory
}

// Limits of a plan.
const (
	maxSeeds  = 1000
	maxLoads  = 100
	maxProbes = 100
)

const usage = `routesim lets load balancing policies choose among the replicas of a simulated service,
and prints what requests took: medians over the seeds.

Usage: routesim [flags]

Policies: %s.
Faults: sinkhole (errors at once), hung (no answer), flaky (3 of 10 fail), crawling (a tenth of the speed).
Exit codes: 0 done, 1 failed, 2 called wrongly.

Flags:
`

// parse reads the flags. Help goes to out.
func parse(args []string, out io.Writer) (*plan, error) {
	p := &plan{workload: sim.Defaults()}
	w := &p.workload
	flags := flag.NewFlagSet("routesim", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints the error

	seeds := flags.String("seeds", "1,2,3", "seeds of chance, comma-separated")
	loads := flags.String("loads", "0.70,0.90,1.03,1.27,1.74", "loads, comma-separated: offered work over what all allocations can do")
	policies := flags.String("policies", strings.Join(published, ","), "policies, comma-separated")

	flags.IntVar(&w.Clients, "clients", w.Clients, "processes that call the service")
	flags.IntVar(&w.Replicas, "replicas", w.Replicas, "replicas of the service")
	flags.Float64Var(&w.Slow, "slow", w.Slow, "share of the replicas that are on slower machines")
	flags.Float64Var(&w.SlowSpeed, "slow-speed", w.SlowSpeed, "speed of those, where the others have 1")
	flags.DurationVar(&w.Episode, "episode", w.Episode, "mean time between two changes of a machine's contention")
	discipline := flags.String("discipline", string(w.Discipline), "how replicas serve: ps (all requests at once) or fifo (8 workers)")
	flags.BoolVar(&w.Mix, "mix", w.Mix, "one request in ten is ten times dearer")
	flags.DurationVar(&w.Wait, "wait", w.Wait, "mean time that a request waits before it computes")

	flags.DurationVar(&w.Publish, "publish", w.Publish, "how often the fleet's signals reach the clients")
	flags.BoolVar(&p.ours.onChange, "publish-change", false, "for ours: publish only what moved as much as collectors want for a write")
	flags.Float64Var(&p.ours.stock, "stock", 0, "for ours: share of the replicas that report no CPU time, as a stock SDK does")
	flags.Float64Var(&p.ours.probes, "probes", 2, "for ours: probes a request, at most")
	flags.Float64Var(&p.ours.perSecond, "probes-per-second", 0, "for ours: probes a second and client, at most (0: no limit; the product's default is 50)")

	fault := flags.String("fault", "", "how faulty replicas fail: sinkhole, hung, flaky or crawling")
	faulty := flags.Int("faulty", 1, "replicas that fail, when there is a fault")
	flags.DurationVar(&w.FaultAt, "fault-at", 0, "when they begin to (default 2s before the measured time)")

	flags.DurationVar(&w.WarmUp, "warmup", w.WarmUp, "simulated time before what is measured")
	flags.DurationVar(&w.Measured, "measure", w.Measured, "simulated time that is measured")
	flags.IntVar(&p.cpus, "cpu", runtime.GOMAXPROCS(0), "simulations at once")
	flags.StringVar(&p.output, "o", asTable, "output: table or json")
	flags.StringVar(&p.plot, "plot", "", "write plots as SVG into this directory instead")

	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(out, usage, strings.Join(names(), ", "))
			flags.SetOutput(out)
			flags.PrintDefaults()
		}
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}

	w.Discipline = sim.Discipline(*discipline)
	if *fault != "" {
		w.Fault, w.Faulty = sim.Fault(*fault), *faulty
		if *faulty < 1 {
			return nil, fmt.Errorf("-faulty %d, want 1 at least with -fault", *faulty)
		}
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["fault-at"] {
		w.FaultAt = max(0, w.WarmUp-2*time.Second)
	}
	for _, name := range []string{"faulty", "fault-at"} {
		if given[name] && *fault == "" {
			return nil, fmt.Errorf("-%s without -fault", name)
		}
	}

	var err error
	if p.seeds, err = list("seeds", *seeds, maxSeeds, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }); err != nil {
		return nil, err
	}
	if p.loads, err = list("loads", *loads, maxLoads, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }); err != nil {
		return nil, err
	}
	if p.policies, err = list("policies", *policies, len(names()), func(s string) (string, error) {
		if !slices.Contains(names(), s) {
			return "", fmt.Errorf("want %s", strings.Join(names(), ", "))
		}
		return s, nil
	}); err != nil {
		return nil, err
	}
	return p, p.validate()
}

// list reads comma-separated values, of which none comes twice.
func list[T comparable](name, value string, most int, parse func(string) (T, error)) ([]T, error) {
	var all []T
	for s := range strings.SplitSeq(value, ",") {
		v, err := parse(strings.TrimSpace(s))
		if number := (*strconv.NumError)(nil); errors.As(err, &number) {
			err = number.Err
		}
		if err != nil {
			return nil, fmt.Errorf("-%s %q: %w", name, s, err)
		}
		if slices.Contains(all, v) {
			return nil, fmt.Errorf("-%s: %q comes twice", name, s)
		}
		all = append(all, v)
	}
	if len(all) > most {
		return nil, fmt.Errorf("-%s has %d values, want %d at most", name, len(all), most)
	}
	return all, nil
}

// validate checks what the workload does not check itself.
func (p *plan) validate() error {
	switch {
	case !(p.ours.probes >= 0 && p.ours.probes <= maxProbes):
		return fmt.Errorf("-probes %v, want 0 to %d", p.ours.probes, maxProbes)
	case !(p.ours.perSecond >= 0):
		return fmt.Errorf("-probes-per-second %v, want 0 at least", p.ours.perSecond)
	case !(p.ours.stock >= 0 && p.ours.stock <= 1):
		return fmt.Errorf("-stock %v, want 0 to 1", p.ours.stock)
	case p.cpus < 1:
		return fmt.Errorf("-cpu %d, want 1 at least", p.cpus)
	case p.output != asTable && p.output != asJSON:
		return fmt.Errorf("-o %q, want table or json", p.output)
	}
	for _, load := range p.loads {
		w := p.workload
		w.Load = load
		if err := w.Validate(); err != nil {
			return err
		}
	}
	return nil
}
