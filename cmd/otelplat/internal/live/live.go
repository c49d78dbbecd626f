// SPDX-License-Identifier: Apache-2.0

// Package live shows what the fleet knows of each of its instances, once a second:
// a table that is drawn again in a terminal, lines in a pipe, JSON lines for
// programs.
package live

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/signal"
)

// Row is what the fleet knows of one instance.
type Row struct {
	Service  string  `json:"service"`
	Instance string  `json:"instance"`
	Rate     float64 `json:"requests_per_second"`
	Errors   float64 `json:"error_ratio"`
	P50      float64 `json:"p50_seconds"`
	P99      float64 `json:"p99_seconds"`
	Weight   float64 `json:"weight"`
	State    string  `json:"state"`         // good, bad, probation; unknown without a signal
	Why      string  `json:"why,omitempty"` // it is not good
	Status   string  `json:"status"`        // as the instance says of itself; unconfirmed; gone
}

// Rows merges who is there with what is known of them.
func Rows(services []string, members func(string) []discovery.Member, fleet func(string) *signal.Fleet) []Row {
	rows := make([]Row, 0, len(services))
	for _, service := range services {
		known := fleet(service)
		seen := make(map[string]bool)
		for _, m := range members(service) {
			seen[m.ID] = true
			r := Row{Service: service, Instance: m.ID, Weight: 1, State: "unknown", Status: string(m.Status)}
			if m.Unconfirmed {
				r.Status = "unconfirmed"
			}
			if known != nil && known.Instances[m.ID] != nil {
				r.take(known.Instances[m.ID])
			}
			rows = append(rows, r)
		}
		if known == nil {
			continue
		}
		for id, s := range known.Instances {
			if !seen[id] && s.Verdict.State != signal.Good {
				r := Row{Service: service, Instance: id, Status: "gone"}
				r.take(s)
				rows = append(rows, r)
			}
		}
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Instance, b.Instance))
	})
	return rows
}

// take fills in what the signal says.
func (r *Row) take(s *signal.Signal) {
	r.State, r.Weight = s.Verdict.State.String(), s.Verdict.Weight
	if s.Verdict.State != signal.Good && s.Verdict.Requests == 0 {
		r.Why = "no request since"
	} else if s.Verdict.State != signal.Good {
		r.Why = fmt.Sprintf("%d of %d callers saw it bad, %d of %d requests failed",
			s.Verdict.BadCallers, s.Verdict.Callers, s.Verdict.Failures, s.Verdict.Requests)
	}
	w := s.Window(10)
	if w == nil {
		return
	}
	r.Rate = float64(w.Requests) / 10
	if w.Requests > 0 {
		r.Errors = float64(w.Failures()) / float64(w.Requests)
	}
	r.P50, r.P99 = micros(w.Latency.Quantile(0.5)), micros(w.Latency.Quantile(0.99))
}

// micros rounds seconds to microseconds: more would be made up.
func micros(seconds float64) float64 { return math.Round(seconds*1e6) / 1e6 }

// Verdict says weight or ejection in a few words.
func (r *Row) Verdict() string {
	switch r.State {
	case "bad":
		return "ejected: " + r.Why
	case "probation":
		return "probed: " + r.Why
	case "unknown":
		return "-"
	}
	return fmt.Sprintf("%.2f", r.Weight)
}

// Table writes the rows for people.
func Table(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "SERVICE\tINSTANCE\tSTATUS\tREQ/S\tERRORS\tP50\tP99\tWEIGHT")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%.1f\t%.1f%%\t%s\t%s\t%s\n", r.Service, r.Instance, r.Status,
			r.Rate, 100*r.Errors, duration(r.P50), duration(r.P99), r.Verdict())
	}
	return t.Flush()
}

func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d == 0:
		return "-"
	case d < time.Millisecond:
		return fmt.Sprintf("%.2fms", seconds*1000)
	case d < 10*time.Second:
		return fmt.Sprintf("%.0fms", seconds*1000)
	}
	return fmt.Sprintf("%.0fs", seconds)
}

// Line writes the rows as one line for each service: what a pipe gets.
func Line(w io.Writer, rows []Row) {
	for _, service := range services(rows) {
		var rate, failed float64
		var out []string
		n := 0
		for i := range rows {
			if r := &rows[i]; r.Service == service {
				n++
				rate += r.Rate
				failed += r.Rate * r.Errors
				if r.State == "bad" || r.State == "probation" {
					out = append(out, r.Instance+" "+r.Verdict())
				}
			}
		}
		ratio := 0.0
		if rate > 0 {
			ratio = failed / rate
		}
		line := fmt.Sprintf("%s: %d instances, %.1f req/s, %.1f%% errors", service, n, rate, 100*ratio)
		if len(out) > 0 {
			line += "; " + strings.Join(out, "; ")
		}
		fmt.Fprintln(w, line)
	}
}

func services(rows []Row) []string {
	var list []string
	for _, r := range rows {
		if !slices.Contains(list, r.Service) {
			list = append(list, r.Service)
		}
	}
	return list
}

// JSON writes the rows as one line.
func JSON(w io.Writer, rows []Row) error {
	return json.NewEncoder(w).Encode(struct {
		Type string `json:"type"`
		Rows []Row  `json:"rows"`
	}{"table", rows})
}
