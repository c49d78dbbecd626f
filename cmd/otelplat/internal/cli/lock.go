// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/coord/election"
	"github.com/otelplat/platform/coord/lock"
	"github.com/spf13/cobra"
)

func lockCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "lock", Short: "Let one process of the fleet do something at a time",
		Long: `Works on the locks of package coord/lock: first come, first served, held under a lease,
and given up by the holder's own clock before anybody else can hold them.`,
	}
	c.AddCommand(lockRun(), lockList())
	return c
}

// killAfter is what a command gets to end after it was asked to.
const killAfter = 10 * time.Second

// commandError is the exit code of a command that ran under a lock.
type commandError struct{ code int }

func (e *commandError) Error() string { return fmt.Sprintf("the command ended with code %d", e.code) }

func lockRun() *cobra.Command {
	var t target
	var ttl, wait time.Duration
	c := &cobra.Command{
		Use: "run NAME -- COMMAND...", Short: "Run a command while the lock is held",
		Long: `Waits for the lock, runs the command, and gives the lock up when it has ended. Its
exit code is that of the command.

When the lock is lost, because etcd cannot be reached for as long as the lease lasts,
the command is asked to end (SIGTERM), and killed ten seconds later; the code is 6
then. The command's environment has OTELPLAT_LOCK_TOKEN, a number that grows with
every holder, and OTELPLAT_LOCK_KEY: what the lock protects should refuse a token
lower than the greatest it has seen, for a process can be stopped between looking and
acting.`,
		Example: `  otelplat lock run nightly-report -- ./report.sh
  otelplat lock run migrate --wait 0s -- ./migrate || echo "somebody else migrates"`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case c.ArgsLenAtDash() != 1:
				return &UsageError{errors.New("the command stands after --"), c.CommandPath()}
			case ttl < lock.MinTTL || ttl > time.Hour:
				return &UsageError{fmt.Errorf("--ttl %v is not between %v and 1h", ttl, lock.MinTTL), c.CommandPath()}
			}
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			locks := lock.Open(client, lock.WithTTL(ttl))
			err = runLocked(c, locks, args[0], args[1:], wait)
			return errors.Join(err, locks.Close(), client.Close())
		},
	}
	t.flags(c)
	c.Flags().DurationVar(&ttl, "ttl", lock.DefaultTTL, "how long the lock outlives this process, should that vanish")
	c.Flags().DurationVar(&wait, "wait", -1, "how long to wait for the lock (0s: not at all; below: for ever)")
	return c
}

// runLocked takes the lock, waiting as long as it may, and runs the command.
func runLocked(c *cobra.Command, locks lock.Locker, name string, command []string, wait time.Duration) error {
	ctx := c.Context()
	var held lock.Held
	var err error
	switch {
	case wait == 0:
		held, err = locks.TryLock(ctx, name)
	case wait > 0:
		soon, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		if held, err = locks.Lock(soon, name); errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %q, for %v", lock.ErrLocked, name, wait)
		}
	default:
		held, err = locks.Lock(ctx, name)
	}
	if err != nil {
		return err
	}
	err = underLock(ctx, c, held, command)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if unlock := held.Unlock(last); unlock != nil && !errors.Is(err, lock.ErrLost) {
		err = errors.Join(err, unlock)
	}
	return err
}

// underLock runs the command until it ends, and ends it when the lock is lost or the
// context ends.
func underLock(ctx context.Context, c *cobra.Command, held lock.Held, command []string) error {
	run, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(run, command[0], command[1:]...) //nolint:gosec // the user names it
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()
	token := held.Token()
	cmd.Env = append(os.Environ(), "OTELPLAT_LOCK_TOKEN="+strconv.FormatInt(token.Revision, 10), "OTELPLAT_LOCK_KEY="+token.Key)
	if err := cmd.Start(); err != nil {
		return &NotFoundError{err.Error(), "name a command after --"}
	}
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-held.Lost():
			cancel(lock.ErrLost)
		case <-ended:
		}
	}()
	err := cmd.Wait()
	close(ended)
	<-watched
	var exit *exec.ExitError
	switch {
	case errors.Is(context.Cause(run), lock.ErrLost):
		return lock.ErrLost
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return &commandError{exit.ExitCode()}
	}
	return err
}

// place is a place in a lock's queue, as it is printed.
type place struct {
	Lock     string          `json:"lock"`
	State    string          `json:"state"`
	Token    int64           `json:"token"`
	Owner    json.RawMessage `json:"owner,omitempty"`
	Position int             `json:"position"` // 0 holds
}

func lockList() *cobra.Command {
	var t target
	var out output
	c := &cobra.Command{
		Use: "ls [NAME]", Short: "List who holds and who waits for locks", Args: cobra.MaximumNArgs(1), Example: "  otelplat lock ls",
		RunE: func(c *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // only read
			places, err := lock.List(c.Context(), client, name)
			if err != nil {
				return err
			}
			list := make([]place, len(places))
			for i, p := range places {
				list[i] = place{Lock: p.Lock, State: "waits", Token: p.Revision, Owner: p.Owner}
				if p.Holder {
					list[i].State = "holds"
				} else {
					list[i].Position = list[i-1].Position + 1
				}
			}
			return print(c.OutOrStdout(), out, list, func(w io.Writer, list []place) error {
				t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, "LOCK\tSTATE\tTOKEN\tOWNER")
				for _, p := range list {
					fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", p.Lock, p.State, p.Token, shown(p.Owner))
				}
				return t.Flush()
			})
		},
	}
	t.flags(c)
	out.flags(c)
	return c
}

func leaderCommand() *cobra.Command {
	var t target
	var out output
	c := &cobra.Command{
		Use: "leader NAME", Short: "Print who leads an election", Args: cobra.ExactArgs(1),
		Example: "  otelplat leader billing",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			elector, err := election.Open(client, election.Candidate{ID: "otelplat"}) // which never stands
			if err != nil {
				return errors.Join(err, client.Close())
			}
			leader, err := elector.Leader(c.Context(), args[0])
			if err = errors.Join(err, elector.Close(), client.Close()); err != nil {
				return err
			}
			if out.json() {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"leader": leader.ID, "address": leader.Address, "term": leader.Term})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s  %s  term %d\n", leader.ID, leader.Address, leader.Term)
			return err
		},
	}
	t.flags(c)
	out.flags(c)
	return c
}
