// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/cmd/otelplat/internal/up"
	"github.com/otelplat/platform/coord"
	"github.com/spf13/cobra"
)

// keysCommand is what `up` does for its children, for a fleet whose processes are
// started by somebody else: it makes keys and tokens, pushes the policies that are
// not there yet, and renews the tokens until it is interrupted.
func keysCommand() *cobra.Command {
	var dataDir, otlp, events string
	c := &cobra.Command{Use: "keys", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) (err error) {
		ctx := c.Context()
		dir, err := datadir.Own(dataDir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, dir.Close()) }()
		client, err := coord.Open(coord.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, client.Close()) }()
		if err := waitFor(ctx, client); err != nil {
			return err
		}
		report := func(err error) { slog.ErrorContext(ctx, "tokens are not renewed", "error", err) }
		if err := up.Provision(ctx, dir, client, true, report); err != nil {
			return err
		}
		if err := dir.WriteRunning(datadir.Running{
			PID: os.Getpid(), Started: time.Now(), Etcd: client.Etcd().Endpoints()[0], Namespace: client.Namespace(),
			OTLPGRPC: otlp, Events: events, NATS: os.Getenv("OTELPLAT_NATS_URL"),
		}); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}}
	c.Flags().StringVar(&dataDir, "data-dir", "", "where keys and tokens are kept")
	c.Flags().StringVar(&otlp, "otlp", "", "the collector's OTLP gRPC URL, for otelplat env")
	c.Flags().StringVar(&events, "events", "", "the collector's URL for published events")
	return c
}

// startWait bounds the wait for an etcd that is started at the same time.
const startWait = time.Minute

func waitFor(ctx context.Context, client *coord.Client) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	for {
		try, end := context.WithTimeout(ctx, 2*time.Second)
		err := client.Ready(try)
		end()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}
