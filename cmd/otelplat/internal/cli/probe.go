// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

func probeCommand() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "probe URL|etcd", Short: "Ask whether something answers: the health check of a container",
		Long: `Ends with code 0 when the URL answers with 2xx, or when etcd answers a linearizable
read, which it does only with a quorum; otherwise with code 7. It is made for
containers without a shell.`,
		Example: `  otelplat probe http://127.0.0.1:7001/readyz
  otelplat probe etcd --endpoints http://127.0.0.1:2379`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "etcd" {
				client, err := t.open(c.Context()) // which asks it
				if err != nil {
					return err
				}
				return client.Close()
			}
			u, err := url.Parse(args[0])
			if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				return &UsageError{fmt.Errorf("%q is neither etcd nor an http or https URL", args[0]), c.CommandPath()}
			}
			return probe(c.Context(), args[0], t.timeout)
		},
		ValidArgs: []string{"etcd"},
	}
	t.flags(c)
	c.Flags().Lookup("timeout").DefValue = "2s"
	t.timeout = 2 * time.Second
	return c
}

// probe asks a URL. A redirect is no answer: what it leads to was not asked for.
func probe(ctx context.Context, address string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return &UnavailableError{who: address, err: err, hint: "is it running, and at that address?"}
	}
	defer func() { _ = resp.Body.Close() }() // not read
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &UnavailableError{who: address, err: fmt.Errorf("it answers %s", resp.Status), hint: "it runs, and is not well: it answers " + resp.Status}
	}
	return nil
}
