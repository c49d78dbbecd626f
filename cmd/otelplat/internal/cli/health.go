// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/otelplat/health"
	"github.com/spf13/cobra"
)

const (
	// maxAsked is how many instances are asked at once.
	maxAsked = 16

	// maxHealth bounds what an instance's answer may be long: 1,000 checks with
	// their errors.
	maxHealth = 2 << 20
)

// instanceHealth is an instance and its checks, as it is printed.
type instanceHealth struct {
	Service  string           `json:"service"`
	Instance string           `json:"instance"`
	Status   discovery.Status `json:"status"` // as it is announced
	Detail   *health.Detail   `json:"health,omitempty"`
	Error    string           `json:"error,omitempty"` // why there is no detail
}

// ready reports whether the instance says so, by what is asked now if it answers.
func (h *instanceHealth) ready() bool {
	if h.Detail != nil {
		return h.Detail.Status.Ready()
	}
	return h.Error == "" && h.Status == discovery.Up
}

// notReadyError is the answer of --fail.
type notReadyError struct{ list []string }

func (e *notReadyError) Error() string { return "not ready: " + strings.Join(e.list, ", ") }

func healthCommand() *cobra.Command {
	var t target
	var out output
	var fail bool
	var wait time.Duration
	c := &cobra.Command{
		Use: "health [SERVICE]", Short: "Show the health checks of the fleet",
		Long: `Asks every announced instance that has an endpoint "health" for its checks, all of
them side by side, and shows them beside the status that is announced. An instance
without such an endpoint is shown by its status alone.`,
		Example: `  otelplat health
  otelplat health inventory -o json
  otelplat health orders --fail && deploy`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if wait <= 0 || wait > time.Minute {
				return &UsageError{fmt.Errorf("--wait %v is not between 0s and 1m", wait), c.CommandPath()}
			}
			list, err := t.fleet(c.Context(), args)
			if err != nil {
				return err
			}
			rows := askAll(c.Context(), list, wait)
			if err := print(c.OutOrStdout(), out, rows, printHealth); err != nil {
				return err
			}
			if !fail {
				return nil
			}
			var bad []string
			for i := range rows {
				if !rows[i].ready() {
					bad = append(bad, rows[i].Instance)
				}
			}
			if len(bad) > 0 {
				return &notReadyError{bad}
			}
			return nil
		},
	}
	t.flags(c)
	out.flags(c)
	c.Flags().BoolVar(&fail, "fail", false, "end with code 10 when an instance is not ready")
	c.Flags().DurationVar(&wait, "wait", 2*time.Second, "how long an instance may take to answer")
	return c
}

// fleet returns the announced instances, of one service if it is named.
func (t *target) fleet(ctx context.Context, only []string) ([]discovery.Member, error) {
	client, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }() // only read
	directory, err := discovery.Etcd(client).Directory(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = directory.Close() }() // only read
	if err := directory.WaitReady(ctx); err != nil {
		return nil, err
	}
	services := directory.Services()
	if len(only) == 1 {
		if services = only; len(directory.Members(only[0])) == 0 {
			return nil, &NotFoundError{fmt.Sprintf("no instance of %q is announced", only[0]), "otelplat services"}
		}
	}
	var list []discovery.Member
	for _, s := range services {
		list = append(list, directory.Members(s)...)
	}
	return list, nil
}

// askAll asks all instances, some at once.
func askAll(ctx context.Context, list []discovery.Member, wait time.Duration) []instanceHealth {
	rows := make([]instanceHealth, len(list))
	places := make(chan struct{}, maxAsked)
	// No redirects: who answers is who was announced.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for i, m := range list {
		rows[i] = instanceHealth{Service: m.Service, Instance: m.ID, Status: m.Status}
		address := m.Address(discovery.Health)
		if address == "" {
			continue
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			detail, err := askHealth(ctx, client, address, wait)
			if err != nil {
				rows[i].Error = err.Error()
			}
			rows[i].Detail = detail
		})
	}
	wg.Wait()
	return rows
}

func askHealth(ctx context.Context, client *http.Client, address string, wait time.Duration) (*health.Detail, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+health.DetailPath, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("no answer within %v", wait)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read, or of no use
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable {
		return nil, fmt.Errorf("%s answers %s", address, resp.Status)
	}
	var detail health.Detail
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxHealth)).Decode(&detail); err != nil {
		return nil, fmt.Errorf("%s answers with what is no health report: %w", address, err)
	}
	return &detail, nil
}

func printHealth(w io.Writer, rows []instanceHealth) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "SERVICE\tINSTANCE\tANNOUNCED\tHEALTH\tCHECK\tRESULT\tAGE\tERROR")
	for _, r := range rows {
		state := "-"
		if r.Detail != nil {
			state = string(r.Detail.Status)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\t\t\t%s\n", r.Service, r.Instance, r.Status, state, shown([]byte(r.Error)))
		if r.Detail == nil {
			continue
		}
		for _, k := range r.Detail.Checks {
			age := "-"
			if k.AgeSeconds != nil {
				age = time.Duration(*k.AgeSeconds * float64(time.Second)).Round(100 * time.Millisecond).String()
			}
			fmt.Fprintf(t, "\t\t\t\t%s\t%s\t%s\t%s\n", k.Name, cmp.Or(k.Status, health.Starting), age, shown([]byte(k.Error)))
		}
	}
	return t.Flush()
}
