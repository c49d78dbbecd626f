// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"github.com/spf13/cobra"
)

// forcing are the flags of what an operator forces.
type forcing struct {
	target
	hold   time.Duration
	reason string
	dryRun bool
}

func (f *forcing) flags(c *cobra.Command) {
	f.target.flags(c)
	c.Flags().DurationVar(&f.hold, "for", 0, fmt.Sprintf("how long it holds, %v to %v", override.MinFor, override.MaxFor))
	c.Flags().StringVar(&f.reason, "reason", "", "why, for those who ask")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would hold, and force nothing")
}

// set forces what the override says, and tells what holds until when.
func (f *forcing) set(ctx context.Context, c *cobra.Command, client *coord.Client, o override.Override, who, what string) error {
	if f.hold < override.MinFor || f.hold > override.MaxFor {
		return &UsageError{fmt.Errorf("--for %v is not between %v and %v", f.hold, override.MinFor, override.MaxFor), c.CommandPath()}
	}
	o.For, o.Reason, o.By = f.hold.Truncate(time.Second), f.reason, author()
	held, err := override.List(ctx, client, o.Service)
	if err != nil {
		return err
	}
	instead := ""
	if i := slices.IndexFunc(held, func(l override.Listed) bool { return l.Target() == o.Target() }); i >= 0 {
		was := &held[i]
		instead = fmt.Sprintf("\nin place of: %s for %v more, by %s: %s", was.State, was.Left, shown([]byte(was.By)), shown([]byte(was.Reason)))
	}
	would := "would be"
	if !f.dryRun {
		would = "is"
		if o, err = override.Set(ctx, client, o); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s %s %s until %s, for %v%s\n", who, would, what, time.Now().Add(o.For).Format(time.TimeOnly), o.For, instead)
	return nil
}

func routeEject() *cobra.Command {
	var f forcing
	c := &cobra.Command{
		Use: "eject SERVICE INSTANCE --for TIME --reason WHY", Short: "Take an instance out of rotation for a while", Args: cobra.ExactArgs(2),
		Long: `Takes an instance out of rotation in all routers at once, whatever they think of it, and
whatever is left. It ends by itself after --for, and at any time by "otelplat route
restore". Requests that are there go on.`,
		Example:           `  otelplat route eject inventory inventory-2 --for 10m --reason "its disk is failing"`,
		ValidArgsFunction: completeArgs(&f.target, serviceNames, instanceNames),
		RunE: func(c *cobra.Command, args []string) error {
			service, instance := args[0], args[1]
			return f.withClient(c, func(ctx context.Context, client *coord.Client) error {
				left, err := rotationWithout(ctx, client, service, instance)
				if err != nil {
					return err
				}
				if 2*left.rotation < left.inService {
					fmt.Fprintf(c.ErrOrStderr(), "warning: of the %d instances of %s in service, %d stay in rotation: fewer than half\n", left.inService, service, left.rotation)
				}
				return f.set(ctx, c, client, override.Override{Service: service, Kind: override.Eject, Instance: instance, State: override.Ejected},
					fmt.Sprintf("%s of %s", instance, service), "out of rotation")
			})
		},
	}
	f.flags(c)
	_, _ = c.MarkFlagRequired("for"), c.MarkFlagRequired("reason") // they are there
	return c
}

// leftover is who is left of a service.
type leftover struct{ inService, rotation int }

// rotationWithout counts who is left in rotation without an instance, as discovery, the fleet
// and operators have it.
func rotationWithout(ctx context.Context, client *coord.Client, service, instance string) (left leftover, err error) {
	directory, err := discovery.Etcd(client).Directory(ctx)
	if err != nil {
		return left, err
	}
	defer func() { _ = directory.Close() }() // only read
	if err := directory.WaitReady(ctx); err != nil {
		return left, err
	}
	members := directory.Members(service)
	if !slices.ContainsFunc(members, func(m discovery.Member) bool { return m.ID == instance }) {
		return left, &NotFoundError{fmt.Sprintf("no instance %q of %q is announced", instance, service), "otelplat services " + service}
	}
	source := signal.Etcd(client)
	defer func() { _ = source.Close() }() // only read
	follower, err := source.Service(ctx, service)
	if err != nil {
		return left, err
	}
	if err := follower.WaitReady(ctx); err != nil {
		return left, err
	}
	forced, err := override.List(ctx, client, service)
	if err != nil {
		return left, err
	}
	fleet := follower.Fleet()
	for i := range members {
		m := &members[i]
		if m.Status != discovery.Up {
			continue
		}
		left.inService++
		out := m.ID == instance || slices.ContainsFunc(forced, func(l override.Listed) bool { return l.Kind == override.Eject && l.Instance == m.ID })
		if fleet != nil && fleet.Instances[m.ID] != nil && fleet.Instances[m.ID].Verdict.State == signal.Bad {
			out = true
		}
		if !out {
			left.rotation++
		}
	}
	return left, nil
}

func routeRestore() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "restore SERVICE INSTANCE", Short: "End what keeps an instance out of rotation by an operator's word", Args: cobra.ExactArgs(2),
		Long: `Ends an ejection by "otelplat route eject" before its time. What the fleet or a router
itself holds against the instance stays.`,
		Example:           "  otelplat route restore inventory inventory-2",
		ValidArgsFunction: completeArgs(&t, serviceNames, forcedNames),
		RunE: func(c *cobra.Command, args []string) error {
			return t.withClient(c, func(ctx context.Context, client *coord.Client) error {
				was, err := override.Clear(ctx, client, override.Override{Service: args[0], Kind: override.Eject, Instance: args[1]})
				if err != nil {
					return err
				}
				if !was {
					return &NotFoundError{fmt.Sprintf("no operator keeps %s of %s out", args[1], args[0]), "otelplat route explain " + args[0]}
				}
				fmt.Fprintf(c.ErrOrStderr(), "%s of %s is kept out by no operator any more; see otelplat route explain %s\n", args[1], args[0], args[0])
				return nil
			})
		},
	}
	t.flags(c)
	return c
}

func routeBreaker() *cobra.Command {
	var f forcing
	var route string
	words := []string{"open", "close", "auto"}
	c := &cobra.Command{
		Use: "breaker SERVICE [--route ROUTE] {open | close | auto} --for TIME --reason WHY", Short: "Force a breaker open or closed for a while",
		Args: cobra.ExactArgs(2),
		Long: `Forces the breaker of a service, or with --route of one of its routes, in all routers at
once. Open: no request goes, and callers are told at once. Close: all go, whatever
failed. Both end by themselves after --for. Auto ends them now: the fleet decides again.`,
		Example: `  otelplat route breaker orders open --for 5m --reason "its database is being restored"
  otelplat route breaker orders --route checkout close --for 30m --reason "failures are the load test's"
  otelplat route breaker orders auto`,
		ValidArgsFunction: completeArgs(&f.target, serviceNames, func(context.Context, *coord.Client, string) ([]string, error) { return slices.Clone(words), nil }),
		RunE: func(c *cobra.Command, args []string) error {
			service, word := args[0], args[1]
			usage := func(err error) error { return &UsageError{err, c.CommandPath()} }
			switch {
			case !slices.Contains(words, word):
				return usage(fmt.Errorf("%q is none of %s", word, strings.Join(words, ", ")))
			case word != "auto" && (f.hold == 0 || f.reason == ""):
				return usage(errors.New("say how long it holds, and why: --for and --reason"))
			case word == "auto" && c.Flags().Changed("for"):
				return usage(errors.New("auto holds until somebody forces the breaker: it takes no --for"))
			}
			return f.withClient(c, func(ctx context.Context, client *coord.Client) error {
				o := override.Override{Service: service, Kind: override.Breaker, Route: route}
				if word == "auto" {
					return f.release(ctx, c, client, o)
				}
				if err := knownRoute(ctx, client, service, route); err != nil {
					return err
				}
				o.State = override.Closed
				what := "forced closed: all requests go,"
				if word == "open" {
					o.State = override.Open
					what = "forced open: no request goes,"
				}
				return f.set(ctx, c, client, o, breakerName(&o), what)
			})
		},
	}
	f.flags(c)
	c.Flags().StringVar(&route, "route", "", "the route; without it the whole service")
	completeFlag(c, &f.target, "route", routeNames)
	return c
}

func breakerName(o *override.Override) string {
	if o.Route != "" {
		return fmt.Sprintf("the breaker of route %s of %s", o.Route, o.Service)
	}
	return "the breaker of " + o.Service
}

// release ends what forces a breaker.
func (f *forcing) release(ctx context.Context, c *cobra.Command, client *coord.Client, o override.Override) error {
	if f.dryRun {
		fmt.Fprintln(c.ErrOrStderr(), breakerName(&o)+" would be decided by the fleet")
		return nil
	}
	was, err := override.Clear(ctx, client, o)
	if err != nil {
		return err
	}
	if !was {
		return &NotFoundError{breakerName(&o) + " is not forced", "otelplat route ls"}
	}
	fmt.Fprintln(c.ErrOrStderr(), breakerName(&o)+" is decided by the fleet again")
	return nil
}

// knownRoute returns an error when the document has no such route.
func knownRoute(ctx context.Context, client *coord.Client, service, route string) error {
	doc, err := parsedDocument(ctx, client, service)
	var bad *rules.Error
	switch {
	case errors.As(err, &bad): // routers go on with the one before, which nobody knows here
		return nil
	case err != nil || route == "":
		return err
	}
	e := &rules.UnknownRouteError{Route: route}
	for i := range doc.Routes {
		if doc.Routes[i].Name == route {
			return nil
		}
		e.Routes = append(e.Routes, doc.Routes[i].Name)
	}
	return e
}
