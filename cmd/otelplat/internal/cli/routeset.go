// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"
)

// rewriting is what commands that write a routing document have in common.
type rewriting struct {
	target
	change
	dryRun bool
	own    []string // policies of the programs that route
}

func (w *rewriting) flags(c *cobra.Command) {
	w.target.flags(c)
	w.change.flags(c)
	c.Flags().BoolVar(&w.dryRun, "dry-run", false, "print what would change, and write nothing")
	c.Flags().StringSliceVar(&w.own, "own-policy", nil, "name of a policy of the programs' own, which the document may name")
}

// write checks a document and makes it the newest, or prints how it differs from the one
// before.
func (w *rewriting) write(ctx context.Context, c *cobra.Command, s *versioned.Store, service string, before versioned.Document, text []byte) error {
	if _, err := checkedDocument(text, w.own); err != nil {
		return err
	}
	name := rules.DocumentName(service)
	if w.dryRun {
		old := fmt.Sprintf("%s@%d", name, before.Revision.Number)
		_, err := c.OutOrStdout().Write(diff.Diff(old, before.Content, name+"@new", text))
		return err
	}
	rev, err := s.Put(ctx, name, text, w.options())
	if err == nil {
		fmt.Fprintf(c.ErrOrStderr(), "%s is at revision %d\n", name, rev.Number)
	}
	return err
}

func checkedDocument(text []byte, own []string) (*rules.Document, error) {
	doc, err := rules.Parse(text)
	if err != nil {
		return nil, err
	}
	_, err = doc.Compile(own...)
	return doc, err
}

// headDocument returns the newest document of a service, as text and read; the defaults
// where it has none.
func headDocument(ctx context.Context, s *versioned.Store, service string) (*rules.Document, versioned.Document, error) {
	text, err := s.Get(ctx, rules.DocumentName(service), 0)
	if err != nil && !errors.Is(err, versioned.ErrNotFound) {
		return nil, text, err
	}
	doc, err := rules.Parse(text.Content)
	return doc, text, err
}

func routeSet() *cobra.Command {
	var w rewriting
	var file string
	c := &cobra.Command{
		Use: "set SERVICE -f FILE", Short: "Write a new revision of a service's routing document", Args: cobra.ExactArgs(1),
		Long: `Checks a routing document and makes it the newest of the service. What is unknown,
given twice or beyond its limit is refused here, with line and field, before anything is
written; routers have it within a second. "otelplat route get --defaults" prints all
settings; "otelplat config history route.SERVICE" lists what there was, and "otelplat
config rollback route.SERVICE --to N" goes back.`,
		Example: `  otelplat route set orders -f orders.yaml --dry-run
  otelplat route set orders -f orders.yaml --reason "retries for the nightly report" --expect 3`,
		ValidArgsFunction: completeArgs(&w.target, serviceNames),
		RunE: func(c *cobra.Command, args []string) error {
			if err := coord.CheckName("service", args[0]); err != nil {
				return err
			}
			text, err := readData(c.InOrStdin(), "@"+file, rules.MaxBytes)
			if err != nil {
				return err
			}
			if _, err := checkedDocument(text, w.own); err != nil {
				return fmt.Errorf("%s: %w", file, err) // also where etcd is away
			}
			return w.withDocuments(c, versioned.Config, func(ctx context.Context, s *versioned.Store) error {
				var before versioned.Document
				if w.dryRun {
					if before, err = s.Get(ctx, rules.DocumentName(args[0]), 0); err != nil && !errors.Is(err, versioned.ErrNotFound) {
						return err
					}
				}
				return w.write(ctx, c, s, args[0], before, text)
			})
		},
	}
	w.flags(c)
	c.Flags().StringVarP(&file, "file", "f", "", "the document, YAML or JSON (-: standard input)")
	_ = c.MarkFlagRequired("file") // it is there
	_ = c.MarkFlagFilename("file", "yaml", "yml", "json")
	return c
}

func routeSplit() *cobra.Command {
	var w rewriting
	var route string
	c := &cobra.Command{
		Use: "split SERVICE [--route ROUTE] VARIANT=WEIGHT…", Short: "Divide a route's requests among variants", Args: cobra.MinimumNArgs(2),
		Long: `Makes the split of a route these variants by weight, and no others, in a new revision of
the routing document. The rest of the document stays as it is written. It is written only
if nobody else wrote meanwhile. Without --route it is the route with a split, when there
is one, or else the only route.

A sticky caller keeps its variant as far as the weights allow: only the difference moves.`,
		Example: `  otelplat route split orders stable=95 canary=5 --reason "1.5.0 to a few"
  otelplat route split orders --route checkout stable=3 canary=1 --dry-run`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return w.complete(serviceNames, ""), cobra.ShellCompDirectiveNoFileComp
			}
			return w.complete(variantNames, args[0]), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
		RunE: func(c *cobra.Command, args []string) error {
			arms, err := parseArms(args[1:])
			if err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			return w.withDocuments(c, versioned.Config, func(ctx context.Context, s *versioned.Store) error {
				if _, err := routingDocument(ctx, s, args[0], 0); err != nil {
					return err
				}
				return w.split(ctx, c, s, args[0], route, arms)
			})
		},
	}
	w.flags(c)
	c.Flags().StringVar(&route, "route", "", "the route")
	completeFlag(c, &w.target, "route", routeNames)
	return c
}

// split writes other arms into a document.
func (w *rewriting) split(ctx context.Context, c *cobra.Command, s *versioned.Store, service, route string, arms []rules.Arm) error {
	doc, before, err := headDocument(ctx, s, service)
	if err != nil {
		return err
	}
	if route == "" {
		if route, err = routeToSplit(doc); err != nil {
			return &UsageError{err, c.CommandPath()}
		}
	}
	for _, a := range arms {
		if _, ok := doc.Variants[a.Variant]; !ok {
			have := strings.Join(slices.Sorted(maps.Keys(doc.Variants)), ", ")
			return &NotFoundError{fmt.Sprintf("%s has no variant %q, it has %s", service, a.Variant, cmp.Or(have, "none")), "otelplat route get " + service}
		}
	}
	text, err := rules.Resplit(before.Content, route, arms)
	if err != nil {
		return err
	}
	if string(text) == string(before.Content) {
		fmt.Fprintf(c.ErrOrStderr(), "%s is so already, at revision %d\n", rules.DocumentName(service), before.Revision.Number)
	} else {
		if w.expect == versioned.Any {
			w.expect = before.Revision.Number
		}
		if err := w.write(ctx, c, s, service, before, text); err != nil {
			return err
		}
	}
	old := doc.Routes[slices.IndexFunc(doc.Routes, func(r rules.Route) bool { return r.Name == route })].Split
	return printShares(c.OutOrStdout(), old, arms)
}

// routeToSplit returns the only route that can be meant.
func routeToSplit(doc *rules.Document) (string, error) {
	var all, splitting []string
	for i := range doc.Routes {
		all = append(all, doc.Routes[i].Name)
		if len(doc.Routes[i].Split) > 0 {
			splitting = append(splitting, doc.Routes[i].Name)
		}
	}
	switch {
	case len(splitting) == 1:
		return splitting[0], nil
	case len(all) == 1:
		return all[0], nil
	case len(all) == 0:
		return "", errors.New("the document has no route")
	}
	return "", fmt.Errorf("name one of the routes with --route: %s", strings.Join(all, ", "))
}

// parseArms reads VARIANT=WEIGHT.
func parseArms(args []string) ([]rules.Arm, error) {
	var arms []rules.Arm
	for _, arg := range args {
		variant, text, _ := strings.Cut(arg, "=")
		weight, err := strconv.ParseFloat(text, 64)
		if err != nil || variant == "" || weight < 0 || math.IsInf(weight, 0) || math.IsNaN(weight) {
			return nil, fmt.Errorf("%q is not VARIANT=WEIGHT", arg)
		}
		arms = append(arms, rules.Arm{Variant: variant, Weight: weight})
	}
	return arms, nil
}

// printShares prints which part of a route's requests each variant gets, before and after.
func printShares(w io.Writer, before, after []rules.Arm) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "VARIANT\tBEFORE\tAFTER")
	var variants []string
	for _, a := range slices.Concat(before, after) {
		if !slices.Contains(variants, a.Variant) {
			variants = append(variants, a.Variant)
		}
	}
	for _, v := range variants {
		fmt.Fprintf(t, "%s\t%.4g %%\t%.4g %%\n", v, 100*shareOf(before, v), 100*shareOf(after, v))
	}
	return t.Flush()
}

func shareOf(arms []rules.Arm, variant string) float64 {
	sum, own := 0.0, 0.0
	for _, a := range arms {
		sum += a.Weight
		if a.Variant == variant {
			own += a.Weight
		}
	}
	if sum == 0 {
		return 0
	}
	return own / sum
}
