// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/signal"
	"github.com/spf13/cobra"
)

// listed is an announced instance as it is printed.
type listed struct {
	Service   string               `json:"service"`
	Instance  string               `json:"instance"`
	Status    discovery.Status     `json:"status"`
	Endpoints []discovery.Endpoint `json:"endpoints"`
	Version   string               `json:"version,omitempty"`
	Zone      string               `json:"zone,omitempty"`
	Weight    float64              `json:"weight"`
	Figures   string               `json:"figures,omitempty"` // what the callers of a contradicted instance saw
	Renewed   *time.Time           `json:"renewed,omitempty"` // with --renewals
}

func servicesCommand() *cobra.Command {
	var t target
	var out output
	var watch, renewals bool
	var selection string
	c := &cobra.Command{
		Use: "services [SERVICE]", Short: "List the services and their instances", Args: cobra.MaximumNArgs(1),
		Long: `List the services and their instances.

The status is what an instance says of itself: starting, up, draining, down. It is
"contradicted" where an instance says that it is up and its callers saw it bad, and
"unconfirmed" where it vanished together with many others.`,
		Example: `  otelplat services
  otelplat services orders --watch
  otelplat services orders --select zone=z1,version=1.4,status=up\|contradicted
  otelplat services --renewals`,
		RunE: func(c *cobra.Command, args []string) error {
			selector, err := discovery.ParseSelector(selection)
			if err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // only read
			source := signal.Etcd(client)
			defer func() { _ = source.Close() }() // only read
			ctx, cancel := context.WithCancel(c.Context())
			defer cancel()
			verdicts := signal.Verdicts(ctx, source)
			directory, err := discovery.Etcd(client).Directory(ctx, discovery.WithVerdicts(verdicts))
			if err != nil {
				return err
			}
			defer func() { _ = directory.Close() }() // only read
			if err := directory.WaitReady(ctx); err != nil {
				return err
			}
			if watch {
				return watchServices(ctx, c.OutOrStdout(), out, directory, &selector, args)
			}
			services := directory.Services()
			if len(args) == 1 {
				if services = args; len(directory.Members(args[0])) == 0 {
					return &NotFoundError{fmt.Sprintf("no instance of %q is announced", args[0]), "otelplat services"}
				}
			}
			var list []listed
			for _, service := range services {
				follower, err := source.Service(ctx, service)
				if err != nil {
					return err
				}
				if err := follower.WaitReady(ctx); err != nil {
					return err
				}
				for _, m := range directory.Members(service) {
					if figures, bad := verdicts.Bad(service, m.ID); bad && m.State() == discovery.Up {
						m.Figures, m.Contradicted = figures, true // loaded after the directory was
					}
					if !selector.Match(&m) {
						continue
					}
					l := listed{service, m.ID, m.State(), m.Endpoints, m.Version, m.Zone, m.Weight, m.Figures, nil}
					if renewals {
						at, err := discovery.LastRenewal(ctx, client, &m)
						if err == nil {
							at = at.Truncate(time.Second)
							l.Renewed = &at
						} else if !errors.Is(err, discovery.ErrNotRenewed) {
							return err
						}
					}
					list = append(list, l)
				}
			}
			return print(c.OutOrStdout(), out, list, func(w io.Writer, list []listed) error { return tableOfServices(w, list, renewals) })
		},
	}
	t.flags(c)
	out.flags(c)
	c.Flags().BoolVarP(&watch, "watch", "w", false, "print what there is, and then what changes, until it is interrupted")
	c.Flags().StringVarP(&selection, "select", "l", "", "only instances that match: zone=Z, version=V, status=S|S, label.KEY=VALUE, joined by commas")
	c.Flags().BoolVar(&renewals, "renewals", false, "ask etcd when each instance last renewed its registration")
	return c
}

func tableOfServices(w io.Writer, list []listed, renewals bool) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	header := "SERVICE\tINSTANCE\tSTATUS\tPROTOCOL\tADDRESS"
	if renewals {
		header += "\tRENEWED"
	}
	fmt.Fprintln(t, header)
	for _, l := range list {
		status := string(l.Status)
		if l.Figures != "" {
			status += " (" + l.Figures + ")"
		}
		for _, e := range l.Endpoints {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s", l.Service, l.Instance, status, e.Protocol, e.Address)
			switch {
			case renewals && l.Renewed == nil:
				fmt.Fprint(t, "\tnot any more")
			case renewals:
				fmt.Fprintf(t, "\t%v ago", max(time.Since(*l.Renewed), 0).Truncate(time.Second))
			}
			fmt.Fprintln(t)
		}
	}
	return t.Flush()
}

// seen is what a watch told of an instance.
type seen struct {
	Time     time.Time `json:"time"`
	Service  string    `json:"service"`
	Instance string    `json:"instance"`
	Status   string    `json:"status"` // as the list has it; "gone" when it is not there, or not selected any more
	Address  string    `json:"address,omitempty"`
	Figures  string    `json:"figures,omitempty"`
}

// watchServices prints a line for each instance, and one for each change.
func watchServices(ctx context.Context, w io.Writer, out output, directory discovery.Directory, selector *discovery.Selector, only []string) error {
	told := make(map[string]seen)
	tell := func(s seen) error {
		if out.json() {
			return json.NewEncoder(w).Encode(s)
		}
		_, err := fmt.Fprintf(w, "%s  %-16s  %-20s  %-12s  %s  %s\n", s.Time.Local().Format("15:04:05.000"), s.Service, s.Instance, s.Status, s.Address, s.Figures)
		return err
	}
	for range directory.Updates(ctx) {
		services := directory.Services()
		if len(only) == 1 {
			services = only
		}
		now := time.Now()
		there := make(map[string]bool)
		for _, service := range services {
			for _, m := range directory.Members(service) {
				if !selector.Match(&m) {
					continue
				}
				s := seen{now, service, m.ID, string(m.State()), m.Endpoints[0].Address, m.Figures}
				key := service + "/" + m.ID
				there[key] = true
				if was := told[key]; was.Status == s.Status && was.Address == s.Address {
					continue
				}
				told[key] = s
				if err := tell(s); err != nil {
					return err
				}
			}
		}
		for key, s := range told {
			if !there[key] {
				delete(told, key)
				s.Time, s.Status = now, "gone"
				if err := tell(s); err != nil {
					return err
				}
			}
		}
	}
	return nil // it was interrupted, which is how it ends
}
