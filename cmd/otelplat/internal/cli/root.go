// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Version is set by the linker.
var Version = "dev"

// Main runs the command line and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	return report(stderr, err, wantsJSON(args))
}

// wantsJSON looks for -o json before flags are parsed, so that a wrong flag is
// reported in the form that was asked for too.
func wantsJSON(args []string) bool {
	for i, a := range args {
		switch {
		case a == "--":
			return false
		case a == "-o=json", a == "-ojson", a == "--output=json":
			return true
		case (a == "-o" || a == "--output") && i+1 < len(args) && args[i+1] == "json":
			return true
		}
	}
	return false
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "otelplat",
		Short: "Observe a fleet of services, decide by policy, and act",
		Long: `otelplat runs and operates a platform for teams that run many services:
telemetry comes back to the services as decisions about routing, access and
configuration.

  otelplat up --demo     the whole platform and a small shop, on this machine

Commands find a running ` + "`otelplat up`" + ` by its data directory, or any etcd by
--endpoints or OTELPLAT_ETCD_ENDPOINTS. "otelplat help exit-codes" lists what
exit codes mean.`,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &UsageError{err: err, command: c.CommandPath()}
	})
	root.AddCommand(
		upCommand(), demoCommand(), servicesCommand(), healthCommand(), signalsCommand(), routeCommand(), policyCommand(), eventCommand(),
		kvCommand(), configCommand(), lockCommand(), leaderCommand(), etcdCommand(), probeCommand(), envCommand(), tokenCommand(), revokeCommand(), versionCommand(), internalCommand(), exitCodesTopic(),
	)
	for _, c := range root.Commands() {
		checkArgs(c)
	}
	return root
}

// checkArgs makes usage errors of wrong arguments, which cobra tells from others
// by their text only.
func checkArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return &UsageError{err: err, command: c.CommandPath()}
			}
			return nil
		}
	}
	if c.HasSubCommands() && c.RunE == nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &UsageError{err: unknownCommand(args[0]), command: c.CommandPath()}
			}
			return c.Help()
		}
	}
	for _, sub := range c.Commands() {
		checkArgs(sub)
	}
}

type unknownCommand string

func (u unknownCommand) Error() string { return "unknown command \"" + string(u) + "\"" }

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(c.OutOrStdout(), Version+"\n")
			return err
		},
	}
}

// exitCodesTopic is a help topic: a command that cannot be run.
func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use: "exit-codes", Short: "What exit codes mean",
		Long: strings.TrimSpace(`
  0    ok
  1    failed
  2    wrong usage: an unknown command or flag, a missing argument
  3    not found
  4    not authenticated
  5    denied by policy
  6    conflict: somebody else was first
  7    unavailable: etcd, or a running "otelplat up", does not answer
  10   a check failed
  130  interrupted`),
	}
}
