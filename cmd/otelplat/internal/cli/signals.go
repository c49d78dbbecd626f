// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/otelplat/platform/cmd/otelplat/internal/live"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/signal"
	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func signalsCommand() *cobra.Command {
	var t target
	var out output
	c := &cobra.Command{
		Use: "signals [SERVICE]", Short: "Show what the fleet knows of each instance",
		Long: `Shows, for each instance, what all its callers together measured over the last ten
seconds, and the verdict that every router reads: a weight, or ejected and why.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // only read
			rows, err := readSignals(c.Context(), client, args)
			if err != nil {
				return err
			}
			return print(c.OutOrStdout(), out, rows, live.Table)
		},
	}
	t.flags(c)
	out.flags(c)
	c.AddCommand(signalsRecordCommand(), signalsReplayCommand())
	return c
}

// readSignals reads all services, or those that are named.
func readSignals(ctx context.Context, client *coord.Client, only []string) ([]live.Row, error) {
	directory, err := discovery.Etcd(client).Directory(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = directory.Close() }() // only read
	if err := directory.WaitReady(ctx); err != nil {
		return nil, err
	}
	services := only
	if len(only) == 0 {
		if services, err = signalled(ctx, client); err != nil {
			return nil, err
		}
		for _, s := range directory.Services() {
			if !slices.Contains(services, s) {
				services = append(services, s)
			}
		}
	}
	source := signal.Etcd(client)
	defer func() { _ = source.Close() }() // only read
	fleets := make(map[string]*signal.Fleet)
	for _, s := range services {
		f, err := source.Service(ctx, s)
		if err != nil {
			return nil, err
		}
		if err := f.WaitReady(ctx); err != nil {
			return nil, err
		}
		fleets[s] = f.Fleet()
		if len(only) > 0 && len(directory.Members(s)) == 0 && (fleets[s] == nil || len(fleets[s].Instances) == 0) {
			return nil, &NotFoundError{fmt.Sprintf("nothing is known of a service %q", s), "otelplat services"}
		}
	}
	return live.Rows(services, directory.Members, func(s string) *signal.Fleet { return fleets[s] }), nil
}

// signalled returns the services that have signals.
func signalled(ctx context.Context, client *coord.Client) ([]string, error) {
	prefix := client.Key(strings.TrimSuffix(signal.KeyPrefix, "/")) + "/"
	resp, err := client.Etcd().Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	var list []string
	for _, kv := range resp.Kvs {
		service, _, _ := strings.Cut(strings.TrimPrefix(string(kv.Key), prefix), "/")
		if !slices.Contains(list, service) {
			list = append(list, service)
		}
	}
	return list, nil
}
