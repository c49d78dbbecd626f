// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/configsrc"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/spf13/cobra"
)

// which are the flags that name a revision, by number or by tag.
type which struct {
	number int64
	tag    string
}

func (w *which) flags(c *cobra.Command, name, usage string) {
	c.Flags().Int64Var(&w.number, name, 0, usage)
	c.Flags().StringVar(&w.tag, "tag", "", "the revision that has this tag")
	c.MarkFlagsMutuallyExclusive(name, "tag")
}

// of returns the number of the revision, 0 for the newest.
func (w *which) of(ctx context.Context, s *versioned.Store, name string) (int64, error) {
	if w.tag == "" {
		return w.number, nil
	}
	return s.Tagged(ctx, name, w.tag)
}

// listedTag is a tag as it is printed.
type listedTag struct {
	Tag      string `json:"tag"`
	Revision int64  `json:"revision"`
}

func documentTag(family versioned.Family, example string) *cobra.Command {
	var t target
	var out output
	var revision int64
	var remove bool
	c := &cobra.Command{
		Use: "tag NAME [TAG]", Short: "Name a revision, or list the names", Args: cobra.RangeArgs(1, 2),
		Long: `Names a revision, by default the newest. A tag that is there moves. Revisions with a
tag are never pruned. Without a tag it lists those that there are.`,
		Example: fmt.Sprintf("  otelplat %s tag %s stable --revision 3\n  otelplat %s tag %s\n  otelplat %s rollback %s --tag stable",
			family, example, family, example, family, example),
		RunE: func(c *cobra.Command, args []string) error {
			return t.withDocuments(c, family, func(ctx context.Context, s *versioned.Store) error {
				switch {
				case len(args) == 1:
					return listTags(ctx, c.OutOrStdout(), out, s, args[0])
				case remove:
					return s.Untag(ctx, args[0], args[1])
				}
				rev, err := s.Tag(ctx, args[0], args[1], revision, author())
				if err == nil {
					fmt.Fprintf(c.ErrOrStderr(), "%s of %s is revision %d\n", args[1], args[0], rev.Number)
				}
				return err
			})
		},
	}
	t.flags(c)
	out.flags(c)
	c.Flags().Int64Var(&revision, "revision", 0, "the revision (0: the newest)")
	c.Flags().BoolVar(&remove, "delete", false, "take the tag away")
	return c
}

func listTags(ctx context.Context, w io.Writer, out output, s *versioned.Store, name string) error {
	tags, err := s.Tags(ctx, name)
	if err != nil {
		return err
	}
	var list []listedTag
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, listedTag{tag, tags[tag]})
	}
	return print(w, out, list, func(w io.Writer, list []listedTag) error {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "TAG\tREVISION")
		for _, l := range list {
			fmt.Fprintf(t, "%s\t%d\n", l.Tag, l.Revision)
		}
		return t.Flush()
	})
}

func documentPrune(family versioned.Family, example string) *cobra.Command {
	var t target
	var opts versioned.PruneOptions
	c := &cobra.Command{
		Use: "prune NAME", Short: "Delete old revisions", Args: cobra.ExactArgs(1),
		Long: `Deletes the revisions that are beyond --keep and older than --older-than, and the
content that only they had. The newest, and those with a tag, stay.`,
		Example: fmt.Sprintf("  otelplat %s prune %s --keep 20 --older-than 720h --dry-run", family, example),
		RunE: func(c *cobra.Command, args []string) error {
			return t.withDocuments(c, family, func(ctx context.Context, s *versioned.Store) error {
				gone, err := s.Prune(ctx, args[0], opts)
				verb := "deleted"
				if opts.DryRun {
					verb = "would delete"
				}
				if err == nil || len(gone.Revisions) > 0 {
					fmt.Fprintf(c.ErrOrStderr(), "%s %d revisions and %d parts of content\n", verb, len(gone.Revisions), gone.Chunks)
				}
				return err
			})
		},
	}
	t.flags(c)
	c.Flags().IntVar(&opts.Keep, "keep", 20, "newest revisions that stay, at least 1")
	c.Flags().DurationVar(&opts.OlderThan, "older-than", 30*24*time.Hour, "age below which a revision stays")
	c.Flags().BoolVar(&opts.DryRun, "dry-run", false, "say what would go, and leave it")
	return c
}

func configApply() *cobra.Command {
	var t target
	var w change
	var remove []string
	c := &cobra.Command{
		Use: "apply NAME=DOCUMENT…", Short: "Write several documents, all or none",
		Args: cobra.MinimumNArgs(1),
		Long: `Writes a new revision of each document in one transaction: all of them or none. A
document is JSON or YAML, or of the file behind an @. With NAME@N=DOCUMENT nothing is
written unless NAME is at revision N.`,
		Example: `  otelplat config apply orders=@orders.yaml inventory=@inventory.yaml --delete old-orders --reason "split"
  otelplat config apply orders@7=@orders.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			var edits []versioned.Edit
			for _, arg := range args {
				e, err := edit(c, arg, w.options())
				if err != nil {
					return err
				}
				edits = append(edits, e)
			}
			for _, name := range remove {
				if err := coord.CheckName("name", name); err != nil {
					return err
				}
				edits = append(edits, versioned.Edit{Name: name, Delete: true, PutOptions: w.options()})
			}
			return t.withDocuments(c, versioned.Config, func(ctx context.Context, s *versioned.Store) error {
				revs, err := s.Apply(ctx, edits)
				for i, rev := range revs {
					if edits[i].Delete {
						fmt.Fprintf(c.ErrOrStderr(), "%s is deleted\n", edits[i].Name)
					} else {
						fmt.Fprintf(c.ErrOrStderr(), "%s is at revision %d\n", edits[i].Name, rev.Number)
					}
				}
				return err
			})
		},
	}
	t.flags(c)
	c.Flags().StringVar(&w.reason, "reason", "", "why, for the history")
	c.Flags().StringSliceVar(&remove, "delete", nil, "documents to delete with it")
	w.expect = versioned.Any
	return c
}

// edit reads NAME=DOCUMENT or NAME@N=DOCUMENT.
func edit(c *cobra.Command, arg string, opts versioned.PutOptions) (versioned.Edit, error) {
	usage := func(err error) error { return &UsageError{err, c.CommandPath()} }
	name, document, ok := strings.Cut(arg, "=")
	if !ok {
		return versioned.Edit{}, usage(fmt.Errorf("%q is not NAME=DOCUMENT", arg))
	}
	name, expect, ok := strings.Cut(name, "@")
	if ok {
		if _, err := fmt.Sscan(expect, &opts.Expect); err != nil || opts.Expect < 0 {
			return versioned.Edit{}, usage(fmt.Errorf("%q is not the number of a revision", expect))
		}
	}
	if err := coord.CheckName("name", name); err != nil {
		return versioned.Edit{}, err
	}
	content, err := readData(c.InOrStdin(), document, versioned.MaxContent)
	if err != nil {
		return versioned.Edit{}, err
	}
	if err := configsrc.Check(content); err != nil {
		return versioned.Edit{}, usage(fmt.Errorf("the document %s %w", name, err))
	}
	return versioned.Edit{Name: name, Content: content, PutOptions: opts}, nil
}
