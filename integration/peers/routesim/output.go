// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// writeJSON writes a list of objects.
func writeJSON(w io.Writer, all []figures) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

// writeTable writes a line for each policy and load; beside it, where Prequal was simulated
// too, how the tail compares.
func writeTable(out io.Writer, p *plan, all []figures) error {
	fmt.Fprintf(out, "%d clients, %d replicas, %s; medians over %d seeds, in ms\n\n",
		p.workload.Clients, p.workload.Replicas, p.workload.Discipline, len(p.seeds))
	yardstick := map[float64]*figures{}
	for i := range all {
		if all[i].Policy == prequal {
			yardstick[all[i].Load] = &all[i]
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "policy\tload\tp50\tp90\tp99\tp99.9\terrors\tmessages/request\t")
	if len(yardstick) > 0 {
		fmt.Fprint(w, "p99/prequal\tp99.9/prequal\t")
	}
	fmt.Fprintln(w)
	for i := range all {
		f := &all[i]
		fmt.Fprintf(w, "%s\t%.2f\t%.0f\t%.0f\t%.0f\t%.0f\t%s\t%.2f\t", f.Policy, f.Load, f.P50, f.P90, f.P99, f.P999, percent(f.Errors), f.Messages)
		if y := yardstick[f.Load]; y != nil {
			fmt.Fprintf(w, "%.2f\t%.2f\t", f.P99/y.P99, f.P999/y.P999)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// percent shows that there were errors, however few.
func percent(ratio float64) string {
	if ratio == 0 {
		return "0"
	}
	return strconv.FormatFloat(100*ratio, 'g', 2, 64) + " %"
}
