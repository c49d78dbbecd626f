// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/recording"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/mirror"
	"github.com/otelplat/platform/coord/signal"
	"github.com/spf13/cobra"
)

// progressEvery is how often a recording says that it goes on.
const progressEvery = 10 * time.Second

func signalsRecordCommand() *cobra.Command {
	var t target
	r := recorder{}
	file, megabytes := "", int64(0)
	c := &cobra.Command{
		Use: "record [SERVICE]", Short: "Write what the fleet tells of its instances to a file, as it changes",
		Long: `Writes the shares of all collectors, of one service or of all, to a file of lines:
what there is, and then each change. It ends after --for, at --max-size, or at Ctrl-C; what
was written until then is a whole recording. "otelplat signals replay" reads it.`,
		Example: `  otelplat signals record --for 10m --file signals.jsonl
  otelplat signals record orders --file - | otelplat signals replay - --ratio 0.3`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if r.length <= 0 || megabytes <= 0 {
				return &UsageError{errors.New("--for and --max-size must be above zero"), c.CommandPath()}
			}
			if len(args) > 0 {
				if err := coord.CheckName("service", args[0]); err != nil {
					return err
				}
				r.service = args[0]
			}
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // only read
			r.limit, r.progress = megabytes<<20, c.ErrOrStderr()
			if file == "-" {
				return r.record(c.Context(), client, c.OutOrStdout())
			}
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names it
			if errors.Is(err, os.ErrExist) {
				return &UsageError{fmt.Errorf("%s is there already", file), c.CommandPath()}
			}
			if err != nil {
				return err
			}
			return errors.Join(r.record(c.Context(), client, f), f.Close())
		},
	}
	t.flags(c)
	f := c.Flags()
	f.DurationVar(&r.length, "for", 10*time.Minute, "how long to record")
	f.StringVar(&file, "file", "signals.jsonl", "a file that is not there yet, or - for standard output")
	f.Int64Var(&megabytes, "max-size", 256, "megabytes after which the recording ends")
	return c
}

// recorder follows the shares of a service, or of all, for a while.
type recorder struct {
	service  string // "" is all
	length   time.Duration
	limit    int64 // bytes
	progress io.Writer
}

func (r *recorder) record(ctx context.Context, client *coord.Client, w io.Writer) error {
	prefix := signal.KeyPrefix
	if r.service != "" {
		prefix = signal.ServicePrefix(r.service)
	}
	// The bytes are kept as they are: a share that this program cannot read is of use to one
	// that can.
	raw := func(_ string, value []byte) ([]byte, error) { return value, nil }
	m, err := mirror.Open(ctx, client, prefix, raw)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }() // returns nil
	ready, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	if err := m.WaitReady(ready); err != nil {
		return err
	}
	began := time.Now()
	out, err := recording.NewWriter(w, client.Namespace(), began, r.limit)
	if err != nil {
		return err
	}
	run, stop := context.WithTimeout(ctx, r.length)
	defer stop()
	changes := make(chan mirror.Batch[[]byte])
	go func() { // ends with run
		defer close(changes)
		for b := range m.Changes(run) {
			select {
			case changes <- b:
			case <-run.Done():
				return
			}
		}
	}()
	defer func() {
		stop()
		for range changes {
			// Until the goroutine has ended.
		}
	}()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-run.Done():
			return r.end(out, time.Since(began), "")
		case <-tick.C:
			fmt.Fprintf(r.progress, "%s of %s: %s\n", time.Since(began).Round(time.Second), r.length, volume(out))
		case b, ok := <-changes:
			if !ok {
				return r.end(out, time.Since(began), "")
			}
			at := time.Since(began)
			for _, change := range b.Changes {
				err := out.Write(recording.Entry{At: at, Key: prefix + change.Key, Share: change.Value})
				if limit := (*recording.LimitError)(nil); errors.As(err, &limit) {
					return r.end(out, at, fmt.Sprintf("; it ended at --max-size, after %s of %s", at.Round(time.Second), r.length))
				}
				if err != nil {
					return err
				}
			}
		}
	}
}

// readPatience is how long the first load may take.
const readPatience = 10 * time.Second

func (r *recorder) end(out *recording.Writer, at time.Duration, why string) error {
	if err := out.End(at); err != nil {
		return err
	}
	fmt.Fprintf(r.progress, "recorded %s%s\n", volume(out), why)
	return nil
}

func volume(out *recording.Writer) string {
	return fmt.Sprintf("%d changes, %.1f kB", out.Entries, float64(out.Bytes)/1e3)
}
