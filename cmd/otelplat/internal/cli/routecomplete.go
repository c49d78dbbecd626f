// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/routes"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// names finds what may stand in a place of a command line; service is the first argument.
type names func(ctx context.Context, client *coord.Client, service string) ([]string, error)

// completionTime is what a completion may take: whoever presses the tab key waits for it.
const completionTime = 500 * time.Millisecond

// complete returns what is found in time, and nothing where etcd does not answer.
func (t *target) complete(find names, service string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	at := *t
	at.timeout = completionTime
	client, err := at.open(ctx)
	if err != nil {
		return nil
	}
	defer func() { _ = client.Close() }() // only read
	list, err := find(ctx, client, service)
	if err != nil {
		return nil
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// completeArgs completes arguments by their places.
func completeArgs(t *target, places ...names) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(places) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		service := ""
		if len(args) > 0 {
			service = args[0]
		}
		return t.complete(places[len(args)], service), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag completes a flag of a command whose first argument is a service.
func completeFlag(c *cobra.Command, t *target, flag string, find names) {
	_ = c.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return t.complete(find, args[0]), cobra.ShellCompDirectiveNoFileComp
	}) // it fails for a flag that is not there, which the tests would see
}

// serviceNames are the services that are announced, and those with a routing document.
func serviceNames(ctx context.Context, client *coord.Client, _ string) ([]string, error) {
	list, err := routes.Documents(ctx, client)
	if err != nil {
		return nil, err
	}
	announced, err := below(ctx, client, "discovery")
	for _, name := range announced {
		service, _, _ := strings.Cut(name, "/")
		list = append(list, service)
	}
	return list, err
}

// instanceNames are the announced instances of a service.
func instanceNames(ctx context.Context, client *coord.Client, service string) ([]string, error) {
	return below(ctx, client, "discovery", service)
}

// forcedNames are the instances that operators keep out.
func forcedNames(ctx context.Context, client *coord.Client, service string) ([]string, error) {
	forced, err := override.List(ctx, client, service)
	var list []string
	for i := range forced {
		if forced[i].Kind == override.Eject {
			list = append(list, forced[i].Instance)
		}
	}
	return list, err
}

// routeNames are the routes of a service's document.
func routeNames(ctx context.Context, client *coord.Client, service string) ([]string, error) {
	doc, err := parsedDocument(ctx, client, service)
	if err != nil {
		return nil, err
	}
	var list []string
	for i := range doc.Routes {
		list = append(list, doc.Routes[i].Name)
	}
	return list, nil
}

// variantNames are the variants of a service's document.
func variantNames(ctx context.Context, client *coord.Client, service string) ([]string, error) {
	doc, err := parsedDocument(ctx, client, service)
	if err != nil {
		return nil, err
	}
	var list []string
	for name := range doc.Variants {
		list = append(list, name+"=")
	}
	return list, nil
}

// parsedDocument returns the newest document of a service, the defaults where it has none.
func parsedDocument(ctx context.Context, client *coord.Client, service string) (*rules.Document, error) {
	doc, _, err := headDocument(ctx, versioned.New(client, versioned.Config), service)
	return doc, err
}

// below returns what keys have after a prefix of parts.
func below(ctx context.Context, client *coord.Client, parts ...string) ([]string, error) {
	prefix := client.Key(parts...) + "/"
	resp, err := client.Etcd().Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	list := make([]string, len(resp.Kvs))
	for i, kv := range resp.Kvs {
		list[i] = strings.TrimPrefix(string(kv.Key), prefix)
	}
	return list, nil
}
