// SPDX-License-Identifier: Apache-2.0

// Command routesim lets policies of load balancing choose among the replicas of a simulated
// service, and prints what their requests took: ours, and those that it is compared with.
//
//	go run ./integration/peers/routesim -seeds 1,2,3 -loads 0.70,1.03,1.74 -policies prequal,adaptive -probes 3
//
// The workload is the published one of Prequal's testbed (package sim has its model), and
// each part of it is a flag. The figures are medians over the seeds, as a table, as JSON or,
// with -plot, as SVG. The same flags give the same output, on any machine.
//
// It exits with 0 when all was simulated, 1 when that or writing failed, and 2 when it was
// called wrongly.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	p, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "routesim: %v\nrun with -help for the flags\n", err)
		return 2
	}
	if err := p.execute(stdout); err != nil {
		fmt.Fprintf(stderr, "routesim: %v\n", err)
		return 1
	}
	return 0
}

// execute measures what the flags ask for, and prints it.
func (p *plan) execute(stdout io.Writer) error {
	if p.plot != "" {
		return p.plots(stdout)
	}
	figures, err := p.measure()
	if err != nil {
		return err
	}
	if p.output == asJSON {
		return writeJSON(stdout, figures)
	}
	return writeTable(stdout, p, figures)
}
