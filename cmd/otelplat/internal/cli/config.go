// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/configsrc"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/spf13/cobra"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Read and write the configuration documents of the fleet",
		Long: `A document has revisions that never change. Services that follow it have a new one
within a second; what cannot be parsed is refused here, before it is written.`,
	}
	const example = "shop.inventory-2"
	c.AddCommand(configPut(), configApply(), documentGet(versioned.Config, example), documentHistory(versioned.Config, example),
		configDiff(), documentRollback(versioned.Config, example), documentTag(versioned.Config, example),
		documentPrune(versioned.Config, example), configDelete())
	return c
}

// author is who writes, for the history.
func author() string {
	name := "otelplat"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// withDocuments runs f on the documents of a family.
func (t *target) withDocuments(c *cobra.Command, family versioned.Family, f func(ctx context.Context, s *versioned.Store) error) error {
	client, err := t.open(c.Context())
	if err != nil {
		return err
	}
	return errors.Join(f(c.Context(), versioned.New(client, family)), client.Close())
}

// change are the flags of what writes a revision.
type change struct {
	reason string
	expect int64
}

func (w *change) flags(c *cobra.Command) {
	c.Flags().StringVar(&w.reason, "reason", "", "why, for the history")
	c.Flags().Int64Var(&w.expect, "expect", versioned.Any, "revision that was seen (0: there is none yet; -1: whatever is there)")
}

func (w *change) options() versioned.PutOptions {
	return versioned.PutOptions{Expect: w.expect, Author: author(), Reason: w.reason}
}

func configPut() *cobra.Command {
	var t target
	var w change
	c := &cobra.Command{
		Use: "put NAME DOCUMENT", Short: "Write a new revision of a document", Args: cobra.ExactArgs(2),
		Long: `Writes a new revision. The document is JSON or YAML: the argument, of the file behind
an @, or with @- of standard input.`,
		Example: `  otelplat config put shop.inventory-2 '{"delay": "300ms"}' --reason "a slow disk, for the demonstration"
  otelplat config put orders @orders.yaml --expect 7`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := coord.CheckName("name", args[0]); err != nil {
				return err
			}
			content, err := readData(c.InOrStdin(), args[1], versioned.MaxContent)
			if err != nil {
				return err
			}
			if err := configsrc.Check(content); err != nil {
				return &UsageError{fmt.Errorf("the document %w", err), c.CommandPath()}
			}
			return t.withDocuments(c, versioned.Config, func(ctx context.Context, s *versioned.Store) error {
				rev, err := s.Put(ctx, args[0], content, w.options())
				if err == nil {
					fmt.Fprintf(c.ErrOrStderr(), "%s is at revision %d\n", args[0], rev.Number)
				}
				return err
			})
		},
	}
	t.flags(c)
	w.flags(c)
	return c
}

func documentGet(family versioned.Family, example string) *cobra.Command {
	var t target
	var older which
	c := &cobra.Command{
		Use: "get NAME", Short: "Print a document, byte for byte", Args: cobra.ExactArgs(1),
		Example: fmt.Sprintf("  otelplat %s get %s\n  otelplat %s get %s --revision 3", family, example, family, example),
		RunE: func(c *cobra.Command, args []string) error {
			return t.withDocuments(c, family, func(ctx context.Context, s *versioned.Store) error {
				revision, err := older.of(ctx, s, args[0])
				if err != nil {
					return err
				}
				doc, err := s.Get(ctx, args[0], revision)
				if err != nil {
					return err
				}
				_, err = c.OutOrStdout().Write(doc.Content)
				return err
			})
		},
	}
	t.flags(c)
	older.flags(c, "revision", "an older revision (0: the newest)")
	return c
}

// listedRevision is a revision as it is printed.
type listedRevision struct {
	Number int64     `json:"revision"`
	Time   time.Time `json:"time"`
	Author string    `json:"author"`
	Reason string    `json:"reason,omitempty"`
	Size   int64     `json:"bytes"`
	Hash   string    `json:"sha256"`
}

func documentHistory(family versioned.Family, example string) *cobra.Command {
	var t target
	var out output
	var limit int
	c := &cobra.Command{
		Use: "history NAME", Short: "List the revisions of a document, the newest first", Args: cobra.ExactArgs(1),
		Example: fmt.Sprintf("  otelplat %s history %s", family, example),
		RunE: func(c *cobra.Command, args []string) error {
			return t.withDocuments(c, family, func(ctx context.Context, s *versioned.Store) error {
				revisions, err := s.History(ctx, args[0], limit)
				if err != nil {
					return err
				}
				list := make([]listedRevision, len(revisions))
				for i, r := range revisions {
					list[i] = listedRevision{r.Number, r.Time, r.Author, r.Reason, r.Size, r.Hash}
				}
				return print(c.OutOrStdout(), out, list, func(w io.Writer, list []listedRevision) error {
					t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
					fmt.Fprintln(t, "REVISION\tTIME\tAUTHOR\tBYTES\tSHA256\tREASON")
					for _, r := range list {
						fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%.12s\t%s\n", r.Number, r.Time.Local().Format(time.DateTime), shown([]byte(r.Author)), r.Size, r.Hash,
							shown([]byte(r.Reason)))
					}
					return t.Flush()
				})
			})
		},
	}
	t.flags(c)
	out.flags(c)
	c.Flags().IntVar(&limit, "limit", 20, "the newest so many")
	return c
}

func documentRollback(family versioned.Family, example string) *cobra.Command {
	var t target
	var w change
	var older which
	c := &cobra.Command{
		Use: "rollback NAME {--to N | --tag TAG}", Short: "Make an older revision's content the newest revision", Args: cobra.ExactArgs(1),
		Long: `Writes the content of an older revision as a new one: nothing is deleted, and a
rollback can be rolled back.`,
		Example: fmt.Sprintf("  otelplat %s rollback %s --to 3", family, example),
		RunE: func(c *cobra.Command, args []string) error {
			return t.withDocuments(c, family, func(ctx context.Context, s *versioned.Store) error {
				to, err := older.of(ctx, s, args[0])
				if err != nil {
					return err
				}
				rev, err := s.Rollback(ctx, args[0], to, w.options())
				if err == nil {
					fmt.Fprintf(c.ErrOrStderr(), "%s is at revision %d, which has the content of %d\n", args[0], rev.Number, to)
				}
				return err
			})
		},
	}
	t.flags(c)
	w.flags(c)
	older.flags(c, "to", "the revision")
	c.MarkFlagsOneRequired("to", "tag")
	return c
}

func configDelete() *cobra.Command {
	var t target
	var expect int64
	c := &cobra.Command{
		Use: "del NAME", Short: "Delete a document: its fields fall back to the layers below; its history stays", Args: cobra.ExactArgs(1),
		Example: "  otelplat config del shop.inventory-2",
		RunE: func(c *cobra.Command, args []string) error {
			return t.withDocuments(c, versioned.Config, func(ctx context.Context, s *versioned.Store) error {
				return s.Delete(ctx, args[0], expect)
			})
		},
	}
	t.flags(c)
	c.Flags().Int64Var(&expect, "expect", versioned.Any, "revision that was seen (-1: whatever is there)")
	return c
}

func configDiff() *cobra.Command {
	var t target
	var out output
	c := &cobra.Command{
		Use: "diff NAME [FROM [TO]]", Short: "Print which fields differ between two revisions", Args: cobra.RangeArgs(1, 3),
		Long: `Prints the fields that differ: by default between the newest revision and the one
before it. The code is 10 when there are any.`,
		Example: "  otelplat config diff orders 3 5",
		RunE: func(c *cobra.Command, args []string) error {
			from, to, err := revisions(args[1:])
			if err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			return t.withDocuments(c, versioned.Config, func(ctx context.Context, s *versioned.Store) error {
				newer, err := s.Get(ctx, args[0], to)
				if err != nil {
					return err
				}
				if from == 0 {
					from = newer.Revision.Number - 1
				}
				var before []byte
				if from > 0 {
					older, err := s.Get(ctx, args[0], from)
					if err != nil {
						return err
					}
					before = older.Content
				}
				list, err := configsrc.Diff(before, newer.Content)
				if err != nil {
					return err
				}
				if err := print(c.OutOrStdout(), out, list, printDiff); err != nil {
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
	return c
}

// differError is no failure: a diff found something.
type differError struct{ n int }

func (e *differError) Error() string { return fmt.Sprintf("%d differ", e.n) }

func revisions(args []string) (from, to int64, err error) {
	for i, at := range []*int64{&from, &to} {
		if i < len(args) {
			if _, err := fmt.Sscan(args[i], at); err != nil || *at < 1 {
				return 0, 0, fmt.Errorf("%q is not the number of a revision", args[i])
			}
		}
	}
	return from, to, nil
}

func printDiff(w io.Writer, list []configsrc.Difference) error {
	for _, d := range list {
		for _, side := range []struct{ sign, text string }{{"-", d.Before}, {"+", d.After}} {
			if side.text != "" {
				if _, err := fmt.Fprintf(w, "%s %s: %s\n", side.sign, d.Field, strings.TrimSpace(side.text)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
