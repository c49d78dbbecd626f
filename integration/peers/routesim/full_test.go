// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"
)

// full reports whether the whole table is asked for (`make routesim`): every load with three
// seeds. What is quick has one seed, and the loads that show the most.
func full() bool { return os.Getenv("OTELPLAT_ROUTESIM") == "full" }

// onlyInFull skips what takes minutes.
func onlyInFull(t *testing.T) {
	t.Helper()
	if !full() {
		t.Skip("takes minutes: make routesim runs it")
	}
}

// seeds are those of the figures that are judged.
func seeds() string {
	if full() {
		return "1,2,3"
	}
	return "1"
}

// loads returns all of the published ones, or those that are quick to tell.
func loads(quick string) string {
	if full() {
		return "0.70,0.90,1.03,1.27,1.74"
	}
	return quick
}

// outcome is figures by policy and load.
type outcome map[string]map[float64]figures

// simulate runs what the command would with these flags, and logs the figures. Flags that
// come later win.
func simulate(t *testing.T, flags string) outcome {
	t.Helper()
	flags = "-seeds " + seeds() + " " + flags
	p, err := parse(strings.Fields(flags), nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := p.measure()
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := writeTable(&table, p, all); err != nil {
		t.Fatal(err)
	}
	t.Logf("routesim %s\n%s", flags, table.String())
	o := outcome{}
	for _, f := range all {
		if o[f.Policy] == nil {
			o[f.Policy] = map[float64]figures{}
		}
		o[f.Policy][f.Load] = f
	}
	return o
}
