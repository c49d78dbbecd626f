// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

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
	c := &cobra.Command{
		Use: "services [SERVICE]", Short: "List the services and their instances", Args: cobra.MaximumNArgs(1),
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
	return c
}
