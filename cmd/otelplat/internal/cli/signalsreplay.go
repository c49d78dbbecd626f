// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/recording"
	"github.com/otelplat/platform/coord/signal"
	"github.com/spf13/cobra"
)

func signalsReplayCommand() *cobra.Command {
	var out output
	t := recording.Thresholds{Thresholds: signal.DefaultThresholds()}
	c := &cobra.Command{
		Use: "replay FILE", Short: "Show who would have been ejected with other thresholds",
		Long: `Reads a recording of "otelplat signals record" and shows which instances would have been
ejected, and which circuits would have opened, when, and by what figures. The thresholds of
the fleet itself are fixed, because every router must come to the same verdict; this tells
what others would do. It cannot tell what would have been sent to an instance that was out
of rotation while it was recorded.`,
		Example: `  otelplat signals replay signals.jsonl
  otelplat signals replay signals.jsonl --ratio 0.2 --quorum 2 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkThresholds(t); err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			in := c.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if errors.Is(err, os.ErrNotExist) {
					return &NotFoundError{args[0] + " is not there", "record one: otelplat signals record"}
				}
				if err != nil {
					return err
				}
				defer func() { _ = f.Close() }() // only read
				in = f
			}
			turns, err := recording.Replay(recording.Read(in), t)
			if err != nil {
				return err
			}
			rows := make([]turnRow, len(turns))
			for i := range turns {
				rows[i] = rowOf(&turns[i])
			}
			if err := print(c.OutOrStdout(), out, rows, printTurns); err != nil {
				return err
			}
			fmt.Fprintln(c.ErrOrStderr(), summary(turns))
			return nil
		},
	}
	out.flags(c)
	f := c.Flags()
	f.Float64Var(&t.BadRatio, "ratio", t.BadRatio, "share of a caller's requests that must fail for it to see something bad")
	f.IntVar(&t.Quorum, "quorum", t.Quorum, "callers that must agree when there are that many")
	f.Uint64Var(&t.MinRequests, "min-requests", t.MinRequests, "requests that evidence on an instance needs")
	f.Uint64Var(&t.ScopeRequests, "circuit-requests", t.ScopeRequests, "requests that evidence on a service or a route needs")
	f.DurationVar(&t.Base, "base", 30*time.Second, "how long a verdict is kept the first time")
	return c
}

func checkThresholds(t recording.Thresholds) error {
	switch {
	case !(t.BadRatio > 0 && t.BadRatio <= 1):
		return fmt.Errorf("--ratio must be above 0 and at most 1, not %g", t.BadRatio)
	case t.Quorum < 1 || t.Quorum > signal.MaxCallers:
		return fmt.Errorf("--quorum must be 1 to %d, not %d", signal.MaxCallers, t.Quorum)
	case t.MinRequests < 1 || t.ScopeRequests < 1:
		return errors.New("--min-requests and --circuit-requests must be at least 1")
	case t.Base < time.Second || t.Base > signal.MaxHold:
		return fmt.Errorf("--base must be 1s to %v, not %v", signal.MaxHold, t.Base)
	}
	return nil
}

// turnRow is a verdict that would have turned, as it is printed.
type turnRow struct {
	Seconds    float64 `json:"seconds"` // since the recording began
	Service    string  `json:"service"`
	Instance   string  `json:"instance,omitempty"`
	Route      string  `json:"route,omitempty"`
	Kind       string  `json:"kind"` // instance, service, route
	State      string  `json:"state"`
	Episode    uint32  `json:"episode"`
	Callers    int     `json:"callers"`
	BadCallers int     `json:"bad_callers"`
	Requests   uint64  `json:"requests"`
	Failures   uint64  `json:"failures"`
}

func rowOf(t *recording.Turn) turnRow {
	kind := "instance"
	if t.Circuit() {
		if kind = "route"; t.Route == "" {
			kind = "service"
		}
	}
	return turnRow{
		Seconds: t.At.Seconds(), Service: t.Service, Instance: t.Instance, Route: t.Route, Kind: kind, State: t.State, Episode: t.Episode,
		Callers: t.Verdict.Callers, BadCallers: t.Verdict.BadCallers, Requests: t.Verdict.Requests, Failures: t.Verdict.Failures,
	}
}

func printTurns(w io.Writer, rows []turnRow) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "AT\tSERVICE\tWHAT\tBECOMES\tWHY")
	for _, r := range rows {
		what := "the service"
		switch r.Kind {
		case "instance":
			what = r.Instance
		case "route":
			what = "route " + r.Route
		}
		why := fmt.Sprintf("%d of %d callers saw it bad, %d of %d requests failed", r.BadCallers, r.Callers, r.Failures, r.Requests)
		if r.State == signal.Probation.String() || r.State == signal.HalfOpen.String() {
			why = fmt.Sprintf("episode %d has ended", r.Episode)
		}
		fmt.Fprintf(tw, "%.1fs\t%s\t%s\t%s\t%s\n", r.Seconds, r.Service, what, r.State, why)
	}
	return tw.Flush()
}

// summary counts what matters.
func summary(turns []recording.Turn) string {
	ejections, opened := 0, 0
	for i := range turns {
		switch turns[i].State {
		case signal.Bad.String():
			ejections++
		case signal.Open.String():
			opened++
		}
	}
	return fmt.Sprintf("%d ejections, %d times a circuit opened", ejections, opened)
}
