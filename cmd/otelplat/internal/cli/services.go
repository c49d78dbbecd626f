// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/coord/discovery"
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
}

func servicesCommand() *cobra.Command {
	var t target
	var out output
	var watch bool
	c := &cobra.Command{
		Use: "services [SERVICE]", Short: "List the services and their instances", Args: cobra.MaximumNArgs(1),
		Example: `  otelplat services
  otelplat services orders --watch`,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // only read
			directory, err := discovery.Etcd(client).Directory(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = directory.Close() }() // only read
			if err := directory.WaitReady(c.Context()); err != nil {
				return err
			}
			if watch {
				return watchServices(c.Context(), c.OutOrStdout(), out, directory, args)
			}
			services := directory.Services()
			if len(args) == 1 {
				if services = args; len(directory.Members(args[0])) == 0 {
					return &NotFoundError{fmt.Sprintf("no instance of %q is announced", args[0]), "otelplat services"}
				}
			}
			var list []listed
			for _, service := range services {
				for _, m := range directory.Members(service) {
					list = append(list, listed{service, m.ID, m.Status, m.Endpoints, m.Version, m.Zone, m.Weight})
				}
			}
			return print(c.OutOrStdout(), out, list, func(w io.Writer, list []listed) error {
				t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, "SERVICE\tINSTANCE\tSTATUS\tPROTOCOL\tADDRESS")
				for _, l := range list {
					for _, e := range l.Endpoints {
						fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", l.Service, l.Instance, l.Status, e.Protocol, e.Address)
					}
				}
				return t.Flush()
			})
		},
	}
	t.flags(c)
	out.flags(c)
	c.Flags().BoolVarP(&watch, "watch", "w", false, "print what there is, and then what changes, until it is interrupted")
	return c
}

// seen is what a watch told of an instance.
type seen struct {
	Time     time.Time `json:"time"`
	Service  string    `json:"service"`
	Instance string    `json:"instance"`
	Status   string    `json:"status"` // as announced; "unconfirmed" while it is held, "gone" when it is not there
	Address  string    `json:"address,omitempty"`
}

// watchServices prints a line for each instance, and one for each change.
func watchServices(ctx context.Context, w io.Writer, out output, directory discovery.Directory, only []string) error {
	told := make(map[string]seen)
	tell := func(s seen) error {
		if out.json() {
			return json.NewEncoder(w).Encode(s)
		}
		_, err := fmt.Fprintf(w, "%s  %-16s  %-20s  %-11s  %s\n", s.Time.Local().Format("15:04:05.000"), s.Service, s.Instance, s.Status, s.Address)
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
				s := seen{now, service, m.ID, string(m.Status), m.Endpoints[0].Address}
				if m.Unconfirmed {
					s.Status = "unconfirmed"
				}
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
