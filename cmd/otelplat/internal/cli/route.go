// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/otelplat/platform/cmd/otelplat/internal/routes"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/spf13/cobra"
)

func routeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "route", Short: "Show and change how requests to services are routed",
		Long: `How requests to a service are routed is in its routing document, config/route.SERVICE,
which has revisions like all configuration:

  otelplat config history route.orders          otelplat config diff route.orders
  otelplat config rollback route.orders --to 3  otelplat config del route.orders

What an operator forces is not in the document, because it ends by itself: eject and
breaker take a time for which it holds.`,
	}
	c.AddCommand(routeList(), routeExplain(), routeGet(), routeSet(), routeSplit(), routeEject(), routeRestore(), routeBreaker())
	return c
}

// withClient runs f with a client.
func (t *target) withClient(c *cobra.Command, f func(ctx context.Context, client *coord.Client) error) error {
	client, err := t.open(c.Context())
	if err != nil {
		return err
	}
	return errors.Join(f(c.Context(), client), client.Close())
}

func routeList() *cobra.Command {
	var t target
	var out output
	c := &cobra.Command{
		Use: "ls", Short: "List the services with a routing document, what operators force, and open breakers", Args: cobra.NoArgs,
		Long: `Lists the services that have a routing document, overrides that hold, or a breaker that
is not closed. The breakers are as the fleet has them; every router decides alike.`,
		Example: `  otelplat route ls
  otelplat route ls -o json`,
		RunE: func(c *cobra.Command, _ []string) error {
			return t.withClient(c, func(ctx context.Context, client *coord.Client) error {
				services, err := signalled(ctx, client)
				if err != nil {
					return err
				}
				rows, err := routes.Read(ctx, client, services)
				if err != nil {
					return err
				}
				return print(c.OutOrStdout(), out, rows, routes.Table)
			})
		},
	}
	t.flags(c)
	out.flags(c)
	return c
}

func routeGet() *cobra.Command {
	var t target
	var older which
	var defaults bool
	c := &cobra.Command{
		Use: "get {SERVICE | --defaults}", Short: "Print a service's routing document, or all settings with their defaults", Args: cobra.MaximumNArgs(1),
		Long: `Prints the routing document of a service, byte for byte. With --defaults it prints a
document with all settings as they hold without one, to begin with.`,
		Example: `  otelplat route get orders
  otelplat route get --defaults > orders.yaml`,
		ValidArgsFunction: completeArgs(&t, serviceNames),
		RunE: func(c *cobra.Command, args []string) error {
			if defaults {
				_, err := c.OutOrStdout().Write([]byte(rules.DefaultText()))
				return err
			}
			if len(args) == 0 {
				return &UsageError{errors.New("name a service, or --defaults"), c.CommandPath()}
			}
			return t.withDocuments(c, versioned.Config, func(ctx context.Context, s *versioned.Store) error {
				revision, err := older.of(ctx, s, rules.DocumentName(args[0]))
				if err != nil {
					return err
				}
				doc, err := routingDocument(ctx, s, args[0], revision)
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
	c.Flags().BoolVar(&defaults, "defaults", false, "all settings, with their defaults")
	return c
}

// routingDocument returns the document of a service, the newest for 0.
func routingDocument(ctx context.Context, s *versioned.Store, service string, revision int64) (versioned.Document, error) {
	doc, err := s.Get(ctx, rules.DocumentName(service), revision)
	if errors.Is(err, versioned.ErrNotFound) {
		what := service + " has no routing document: the defaults hold"
		if revision > 0 {
			what = fmt.Sprintf("the routing document of %s has no revision %d", service, revision)
		}
		return doc, &NotFoundError{what, "otelplat route get --defaults; otelplat route set " + service + " -f FILE"}
	}
	return doc, err
}
