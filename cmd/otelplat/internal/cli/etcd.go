// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/access"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func etcdCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "etcd", Short: "Roles, health, backup and restore of the fleet's etcd",
		Long: `What an operator does with the etcd of a fleet. The user needs etcd's role root for
roles and backup, once authentication is on.`,
	}
	c.AddCommand(rolesCommand(), etcdStatus(), etcdBackup(), etcdRestore())
	return c
}

func rolesCommand() *cobra.Command {
	c := &cobra.Command{Use: "roles", Short: "Who may write what in the keyspace, as roles of etcd"}
	c.AddCommand(rolesShow(), rolesApply())
	return c
}

// listedRole is a permission of a role as it is printed.
type listedRole struct {
	Role   string `json:"role"`
	May    string `json:"may"`
	Prefix string `json:"prefix"`
}

func rolesShow() *cobra.Command {
	var out output
	var namespace string
	var services []string
	c := &cobra.Command{
		Use: "show", Short: "Print the roles and what they may write", Args: cobra.NoArgs,
		Long:    "Prints the roles and what they may write. It asks no etcd: they follow from the namespace.",
		Example: "  otelplat etcd roles show --service orders --service payments",
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := namespaceOf(namespace, services)
			if err != nil {
				return err
			}
			var list []listedRole
			for _, r := range access.Roles(n, services...) {
				for _, p := range r.Permissions {
					may := "read"
					if p.Write {
						may = "write"
					}
					list = append(list, listedRole{r.Name, may, p.Key})
				}
			}
			return print(c.OutOrStdout(), out, list, func(w io.Writer, list []listedRole) error {
				t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, "ROLE\tMAY\tPREFIX")
				for _, l := range list {
					fmt.Fprintf(t, "%s\t%s\t%s\n", l.Role, l.May, l.Prefix)
				}
				return t.Flush()
			})
		},
	}
	out.flags(c)
	c.Flags().StringVar(&namespace, "namespace", "", "namespace (OTELPLAT_NAMESPACE)")
	c.Flags().StringSliceVar(&services, "service", nil, "services that get a role of their own")
	return c
}

// namespaceOf returns the namespace that the flag or the environment names.
func namespaceOf(flag string, services []string) (access.Namespace, error) {
	n := access.Namespace{
		Root: cmp.Or(os.Getenv("OTELPLAT_ROOT"), coord.DefaultRoot),
		Name: cmp.Or(flag, os.Getenv("OTELPLAT_NAMESPACE"), coord.DefaultNamespace),
	}
	if err := coord.CheckName("root", n.Root); err != nil {
		return n, err
	}
	for _, s := range services {
		if err := coord.CheckName("service", s); err != nil {
			return n, err
		}
	}
	return n, coord.CheckName("namespace", n.Name)
}

func rolesApply() *cobra.Command {
	var t target
	var services, grants []string
	var dry bool
	c := &cobra.Command{
		Use: "apply", Short: "Make etcd's roles what they should be", Args: cobra.NoArgs,
		Long: `Adds the roles and permissions that are missing, and takes away what the roles have
beyond that. The second time it changes nothing. Services that are announced get a role
without being named.

With --grant USER=ROLE,ROLE a user gets roles; a short name, as "service" or
"service.orders", is that of this namespace. A user that does not exist is added without
a password: etcd knows it by a client certificate of that common name.

Authentication is switched on with etcd's own: etcdctl auth enable.`,
		Example: `  otelplat etcd roles apply --service orders --dry-run
  otelplat etcd roles apply --service orders --grant orders=service,service.orders
  otelplat etcd roles apply --grant collector=collector --grant ann=operator`,
		RunE: func(c *cobra.Command, _ []string) error {
			users, err := parseGrants(grants)
			if err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // what was written was answered
			n, err := namespaceOf(client.Namespace(), services)
			if err != nil {
				return err
			}
			return applyRoles(c.Context(), c.OutOrStdout(), client, n, services, users, dry)
		},
	}
	t.flags(c)
	c.Flags().StringSliceVar(&services, "service", nil, "services that get a role of their own")
	c.Flags().StringArrayVar(&grants, "grant", nil, "USER=ROLE,ROLE: roles for a user")
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would change, and leave it")
	return c
}

type userGrant struct {
	user  string
	roles []string
}

func parseGrants(list []string) ([]userGrant, error) {
	var users []userGrant
	for _, g := range list {
		user, roles, ok := strings.Cut(g, "=")
		if !ok || user == "" || roles == "" {
			return nil, fmt.Errorf("--grant %q is not USER=ROLE", g)
		}
		users = append(users, userGrant{user, strings.Split(roles, ",")})
	}
	return users, nil
}

func applyRoles(ctx context.Context, w io.Writer, client *coord.Client, n access.Namespace, services []string, users []userGrant, dry bool) error {
	announced, err := announcedServices(ctx, client)
	if err != nil {
		return err
	}
	services = slices.Compact(slices.Sorted(slices.Values(append(announced, services...))))
	roles := access.Roles(n, services...)
	done := 0
	say := func(did []string) {
		for _, d := range did {
			fmt.Fprintln(w, d)
		}
		done += len(did)
	}
	if err := firstEpoch(ctx, client, dry); err != nil {
		return err
	}
	did, err := access.Apply(ctx, client.Etcd(), roles, dry)
	say(did)
	if err != nil {
		return err
	}
	for _, u := range users {
		names := make([]string, 0, len(u.roles))
		for _, role := range u.roles {
			at := slices.IndexFunc(roles, func(r access.Role) bool { return r.Short == role || r.Name == role })
			if at < 0 {
				return &NotFoundError{fmt.Sprintf("there is no role %q", role), "otelplat etcd roles show" + n.Flags(role)}
			}
			names = append(names, roles[at].Name)
		}
		did, err := access.Grant(ctx, client.Etcd(), u.user, names, dry)
		say(did)
		if err != nil {
			return err
		}
	}
	if done == 0 {
		fmt.Fprintln(w, "nothing to change")
	}
	return nil
}

// announcedServices returns the services that have instances now.
func announcedServices(ctx context.Context, client *coord.Client) ([]string, error) {
	directory, err := discovery.Etcd(client).Directory(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = directory.Close() }() // only read
	if err := directory.WaitReady(ctx); err != nil {
		return nil, err
	}
	return directory.Services(), nil
}

// firstEpoch names the history of a namespace that is still empty. Later it would be a new
// one for all who mirror it.
func firstEpoch(ctx context.Context, client *coord.Client, dry bool) error {
	if dry {
		return nil
	}
	key := client.Key("meta", "epoch")
	_, err := client.Etcd().Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(client.Prefix()), "=", 0).WithPrefix()).
		Then(clientv3.OpPut(key, rand.Text())).Commit()
	return err
}

// member is a member of etcd as it is printed.
type member struct {
	Endpoint string   `json:"endpoint"`
	ID       string   `json:"id,omitempty"`
	Version  string   `json:"version,omitempty"`
	Leader   bool     `json:"leader"`
	Revision int64    `json:"revision"`
	Term     uint64   `json:"term"`
	Size     int64    `json:"bytes"`
	InUse    int64    `json:"bytes_in_use"`
	Quota    int64    `json:"quota,omitempty"`
	Millis   float64  `json:"milliseconds"`
	Errors   []string `json:"errors,omitempty"`
}

func etcdStatus() *cobra.Command {
	var t target
	var out output
	c := &cobra.Command{
		Use: "status", Short: "Print the state of each member", Args: cobra.NoArgs,
		Long: `Asks each endpoint for its state. The code is 7 when one does not answer, or has an
alarm.`,
		Example: "  otelplat etcd status --endpoints http://10.0.0.1:2379,http://10.0.0.2:2379,http://10.0.0.3:2379",
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // only read
			var list []member
			trouble := 0
			for _, endpoint := range client.Etcd().Endpoints() {
				m := ask(c.Context(), client, endpoint, t.timeout)
				trouble += min(len(m.Errors), 1)
				list = append(list, m)
			}
			if err := print(c.OutOrStdout(), out, list, tableOfMembers); err != nil {
				return err
			}
			if trouble > 0 {
				return &UnavailableError{who: fmt.Sprintf("%d of %d members of etcd", trouble, len(list)), hint: "the members' own logs say why"}
			}
			return nil
		},
	}
	t.flags(c)
	out.flags(c)
	return c
}

func ask(ctx context.Context, client *coord.Client, endpoint string, timeout time.Duration) member {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	s, err := client.Etcd().Status(ctx, endpoint)
	m := member{Endpoint: endpoint, Millis: float64(time.Since(began).Microseconds()) / 1000}
	if err != nil {
		m.Errors = []string{err.Error()}
		return m
	}
	m.ID, m.Version, m.Leader = fmt.Sprintf("%016x", s.Header.MemberId), s.Version, s.Leader == s.Header.MemberId
	m.Revision, m.Term, m.Size, m.InUse, m.Quota, m.Errors = s.Header.Revision, s.RaftTerm, s.DbSize, s.DbSizeInUse, s.DbSizeQuota, s.Errors
	return m
}

func tableOfMembers(w io.Writer, list []member) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ENDPOINT\tMEMBER\tVERSION\tLEADER\tREVISION\tTERM\tMB\tIN USE\tMS\tTROUBLE")
	for _, m := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%t\t%d\t%d\t%.1f\t%.1f\t%.1f\t%s\n", m.Endpoint, m.ID, m.Version, m.Leader, m.Revision, m.Term,
			float64(m.Size)/1e6, float64(m.InUse)/1e6, m.Millis, cmp.Or(strings.Join(m.Errors, "; "), "-"))
	}
	return t.Flush()
}
