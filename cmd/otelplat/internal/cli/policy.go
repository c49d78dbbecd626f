// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/policy"
	"github.com/spf13/cobra"
)

func policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Write, test, explain and push policy bundles, and decide by them"}
	c.AddCommand(policyPush(), policyCheck(), policyTest(), policyFmt(), policyEval(), policyExplain(), policyBench(), policyServe(), policyList(),
		documentHistory(versioned.Policy, "shop"), documentRollback(versioned.Policy, "shop"),
		documentGet(versioned.Policy, "shop"), policyDiff(), documentTag(versioned.Policy, "shop"), documentPrune(versioned.Policy, "shop"))
	return c
}

// folder reads and checks a folder of policies.
func folder(c *cobra.Command, bundle, path string, clock bool) ([]byte, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return nil, &NotFoundError{path + " is not a folder", "name a folder with *.rego files"}
	}
	archive, err := policy.Build(os.DirFS(path))
	if err != nil {
		return nil, err
	}
	check := policy.Check
	if clock {
		check = policy.CheckWithClock
	}
	report, err := check(c.Context(), bundle, archive)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s: %d files, %d tests passed\n", path, report.Files, report.Tests)
	return archive, nil
}

func policyCheck() *cobra.Command {
	var strict, clock bool
	var entrypoints []string
	c := &cobra.Command{
		Use: "check DIR", Short: "Compile a folder of policies as an engine would, run its tests, and warn of traps",
		Long: `Compiles in strict mode, runs the tests, and warns of what compiles and yet may let
somebody through: a rule allow without a default, "not input.x" where x may be absent, a
package that is asked and is not there. With --strict a warning is an error.`,
		Args: cobra.ExactArgs(1), Example: "  otelplat policy check ./policy --entrypoint shop.orders --strict",
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := folder(c, args[0], args[0], clock); err != nil {
				return err
			}
			b, err := readBundle(args[0])
			if err != nil {
				return err
			}
			if clock {
				b = b.WithClock()
			}
			warnings, err := policy.Lint(b, entrypoints...)
			if err != nil {
				return err
			}
			for _, w := range warnings {
				fmt.Fprintln(c.ErrOrStderr(), "warning: "+w.String())
			}
			if strict && len(warnings) > 0 {
				return &differError{len(warnings)}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, "a warning is an error")
	c.Flags().BoolVar(&clock, "clock", false, "the engines let policies tell the time")
	c.Flags().StringSliceVar(&entrypoints, "entrypoint", nil, "package that will be asked (all with a rule allow)")
	return c
}

// listedBundle is a bundle as it is printed.
type listedBundle struct {
	Bundle   string    `json:"bundle"`
	Revision int64     `json:"revision"`
	Author   string    `json:"author"`
	Time     time.Time `json:"time"`
	Reason   string    `json:"reason,omitempty"`
}

func policyList() *cobra.Command {
	var t target
	var out output
	c := &cobra.Command{
		Use: "ls", Short: "List the bundles in etcd", Args: cobra.NoArgs, Example: "  otelplat policy ls -o json",
		RunE: func(c *cobra.Command, _ []string) error {
			return t.withDocuments(c, versioned.Policy, func(ctx context.Context, s *versioned.Store) error {
				names, err := s.List(ctx)
				if err != nil {
					return err
				}
				var list []listedBundle
				for _, name := range names {
					newest, err := s.History(ctx, name, 1)
					if errors.Is(err, versioned.ErrNotFound) || err == nil && len(newest) == 0 {
						continue // it was deleted meanwhile
					}
					if err != nil {
						return err
					}
					r := newest[0]
					list = append(list, listedBundle{name, r.Number, r.Author, r.Time, r.Reason})
				}
				return print(c.OutOrStdout(), out, list, func(w io.Writer, list []listedBundle) error {
					tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
					fmt.Fprintln(tw, "BUNDLE\tREVISION\tAUTHOR\tTIME\tREASON")
					for _, b := range list {
						fmt.Fprintf(tw, "%s\t%d\t%s\t%s\t%s\n", b.Bundle, b.Revision, b.Author, b.Time.Format(time.RFC3339), b.Reason)
					}
					return tw.Flush()
				})
			})
		},
	}
	t.flags(c)
	out.flags(c)
	return c
}

func policyPush() *cobra.Command {
	var t target
	var bundle, key, reason string
	var clock bool
	c := &cobra.Command{
		Use: "push DIR", Short: "Make a folder of policies the newest revision of a bundle",
		Long: `Compiles the folder in strict mode, runs its tests, signs it, and makes it the newest
revision of the bundle. Engines have it within a second. What fails changes
nothing.`,
		Example: `  otelplat policy push ./policy --bundle shop
  otelplat policy push ./policy --bundle shop --key policy.key --endpoints http://etcd:2379`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := coord.CheckName("bundle", bundle); err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			archive, err := folder(c, bundle, args[0], clock)
			if err != nil {
				return err
			}
			signer, err := policy.LoadPrivateKey(cmp.Or(key, datadir.At(t.dataDir).Path("keys", "policy.key")))
			if errors.Is(err, os.ErrNotExist) {
				return &NotFoundError{"no key to sign with: " + err.Error(), "name one with --key"}
			}
			if err != nil {
				return err
			}
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // what was written is written
			rev, err := policy.Push(c.Context(), client, bundle, archive, policy.PushOptions{
				Key: signer, Author: cmp.Or(os.Getenv("USER"), "unknown"), Reason: reason, Clock: clock, Expect: versioned.Any,
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "bundle %s is at revision %d\n", bundle, rev.Number)
			return nil
		},
	}
	t.flags(c)
	c.Flags().StringVar(&bundle, "bundle", "", "name of the bundle (of up: telemetry, shop)")
	c.Flags().StringVar(&key, "key", "", "file of the Ed25519 key to sign with (that of the running up)")
	c.Flags().StringVar(&reason, "reason", "", "why, for the history")
	c.Flags().BoolVar(&clock, "clock", false, "the engines let policies tell the time")
	_ = c.MarkFlagRequired("bundle") // the flag is there
	return c
}

// fileDifference is a file that differs between two revisions of a bundle.
type fileDifference struct {
	File   string `json:"file"`
	Change string `json:"change"` // added, removed, changed
}

func policyDiff() *cobra.Command {
	var t target
	var out output
	var again replay
	c := &cobra.Command{
		Use: "diff BUNDLE [FROM [TO]]", Short: "Print which files differ between two revisions, or which decisions", Args: cobra.RangeArgs(1, 3),
		Long: `Prints the files that differ: by default between the newest revision and the one
before it. With --replay, a file of requests as AuthZEN writes them, one a line, it
decides each by both revisions and prints those that they decide otherwise; --with
compares with a folder, to see what a push would change. The code is 10 when there are any.
"otelplat policy get" prints a revision's archive, for those who want to see the lines.`,
		Example: `  otelplat policy diff shop 3 5
  otelplat policy diff shop --replay requests.jsonl --entrypoint shop.orders --with ./policy
  otelplat policy get shop --revision 3 | tar -tz`,
		RunE: func(c *cobra.Command, args []string) error {
			from, to, err := revisions(args[1:])
			if err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			return t.withDocuments(c, versioned.Policy, func(ctx context.Context, s *versioned.Store) error {
				newer, err := s.Get(ctx, args[0], to)
				if err != nil {
					return err
				}
				after, err := policy.Unpack(args[0], newer.Content)
				if err != nil {
					return err
				}
				after.Revision = strconv.FormatInt(newer.Revision.Number, 10)
				if again.with != "" {
					candidate, err := readBundle(again.with)
					if err != nil {
						return err
					}
					return again.run(c, out, after, candidate)
				}
				if from == 0 {
					from = newer.Revision.Number - 1
				}
				var before policy.Bundle
				if from > 0 {
					older, err := s.Get(ctx, args[0], from)
					if err != nil {
						return err
					}
					if before, err = policy.Unpack(args[0], older.Content); err != nil {
						return err
					}
					before.Revision = strconv.FormatInt(from, 10)
				}
				if again.file != "" {
					return again.run(c, out, before, after)
				}
				list := differences(before.Files, after.Files)
				if err := print(c.OutOrStdout(), out, list, printFiles); err != nil {
					return err
				}
				if len(list) > 0 {
					return &differError{len(list)}
				}
				return nil
			})
		},
	}
	t.flags(c)
	out.flags(c)
	again.flags(c)
	return c
}

// differences compares two sets of files, in the order of their names.
func differences(before, after map[string]string) []fileDifference {
	var list []fileDifference
	for file, text := range after {
		switch was, there := before[file]; {
		case !there:
			list = append(list, fileDifference{file, "added"})
		case was != text:
			list = append(list, fileDifference{file, "changed"})
		}
	}
	for file := range before {
		if _, there := after[file]; !there {
			list = append(list, fileDifference{file, "removed"})
		}
	}
	slices.SortFunc(list, func(a, b fileDifference) int { return cmp.Compare(a.File, b.File) })
	return list
}

func printFiles(w io.Writer, list []fileDifference) error {
	for _, d := range list {
		if _, err := fmt.Fprintf(w, "%-7s  %s\n", d.Change, d.File); err != nil {
			return err
		}
	}
	return nil
}
