// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/cmd/otelplat/internal/up"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func upCommand() *cobra.Command {
	var o up.Options
	var out output
	c := &cobra.Command{
		Use:   "up",
		Short: "Run the platform on this machine",
		Long: `Runs etcd and the collector, and with --demo a small shop with a steady load, as
child processes on loopback. What the fleet knows of each instance is shown once
a second. Ctrl-C, or the end of --for, stops everything.

All data is kept in the data directory: keys, tokens, etcd's data, logs. The next
up goes on with it; remove the folder to begin anew.`,
		Example: `  otelplat up --demo
  otelplat up --listen-base 4300              # when 2379 or 4317 are taken
  otelplat up --demo --for 30s -o json        # for scripts: a JSON object a line
  otelplat up --export localhost:5317         # send all telemetry on to an OTLP backend`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case o.For < 0:
				return &UsageError{errors.New("--for is negative"), c.CommandPath()}
			case o.Rate < 1 || o.Rate > 5000:
				return &UsageError{fmt.Errorf("--rate %d is not between 1 and 5000", o.Rate), c.CommandPath()}
			case o.EjectionBase < 500*time.Millisecond || o.EjectionBase > 300*time.Second:
				return &UsageError{fmt.Errorf("--ejection-base %v is not between 500ms and 300s", o.EjectionBase), c.CommandPath()}
			}
			o.JSON, o.Out, o.Version = out.json(), c.OutOrStdout(), Version
			o.Width = terminal(o.Out)
			return up.Run(c.Context(), o)
		},
	}
	out.flags(c)
	f := c.Flags()
	f.BoolVar(&o.Demo, "demo", false, "run the shop and its customers too")
	f.StringVar(&o.DataDir, "data-dir", datadir.Default, "where keys, data and logs are kept")
	f.IntVar(&o.ListenBase, "listen-base", 0, "first of the ports to listen on, instead of the usual ones (2379, 4317, ...)")
	f.DurationVar(&o.For, "for", 0, "stop after this long")
	f.DurationVar(&o.EjectionBase, "ejection-base", 5*time.Second, "how long an instance is left out at first; a fleet would take 30s")
	f.StringVar(&o.Export, "export", "", "OTLP gRPC endpoint (host:port) that all telemetry is sent on to")
	f.IntVar(&o.Rate, "rate", 50, "requests a second of the demo's customers")
	return c
}

// terminal returns what tells the width of the terminal that w is, nil when it is
// none that can be drawn on.
func terminal(w io.Writer) func() int {
	file, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width < 20 {
			return 80
		}
		return width
	}
}
