// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "demo", Short: "Change how a running shop behaves",
		Long: `Changes the behaviour of an instance of the running shop through its configuration
in etcd. Watch ` + "`otelplat up`" + `, or ` + "`otelplat signals`" + `, to see the fleet react.`,
	}
	c.AddCommand(
		behave("slow", "Let an instance answer late", func(delay time.Duration, _ float64) behaviour {
			return behaviour{Delay: delay.String()}
		}),
		behave("fail", "Let an instance fail", func(_ time.Duration, ratio float64) behaviour {
			return behaviour{FailRatio: ratio}
		}),
		behave("sick", "Let an instance's health check fail", func(time.Duration, float64) behaviour {
			return behaviour{Sick: true}
		}),
		behave("heal", "Let an instance be well again", nil),
		outageCommand(),
	)
	return c
}

// behaviour is the document that an instance of the shop follows.
type behaviour struct {
	Delay     string  `json:"delay,omitempty"`
	FailRatio float64 `json:"fail_ratio,omitempty"`
	Sick      bool    `json:"sick,omitempty"`
}

func behave(verb, short string, make func(time.Duration, float64) behaviour) *cobra.Command {
	var t target
	var delay time.Duration
	var ratio float64
	c := &cobra.Command{
		Use: verb + " INSTANCE", Short: short, Args: cobra.ExactArgs(1), Example: "  otelplat demo " + verb + " inventory-2",
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case ratio < 0 || ratio > 1:
				return &UsageError{fmt.Errorf("--ratio %g is not between 0 and 1", ratio), c.CommandPath()}
			case delay < 0 || delay > time.Minute:
				return &UsageError{fmt.Errorf("--delay %v is not between 0s and 1m", delay), c.CommandPath()}
			}
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // what was written is written
			if err := mustKnow(c.Context(), client, args[0]); err != nil {
				return err
			}
			store := versioned.New(client, versioned.Config)
			name := "shop." + args[0]
			if make == nil {
				if err := store.Delete(c.Context(), name, versioned.Any); err != nil && !errors.Is(err, versioned.ErrNotFound) {
					return err
				}
				fmt.Fprintln(c.ErrOrStderr(), args[0]+" is well again")
				return nil
			}
			text, err := json.Marshal(make(delay, ratio))
			if err != nil {
				return err
			}
			_, err = store.Put(c.Context(), name, text, versioned.PutOptions{Expect: versioned.Any, Author: "otelplat demo", Reason: verb})
			if err == nil {
				fmt.Fprintf(c.ErrOrStderr(), "%s: %s\n", args[0], text)
			}
			return err
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeInstances(c, &t), cobra.ShellCompDirectiveNoFileComp
		},
	}
	t.flags(c)
	if verb == "slow" {
		c.Flags().DurationVar(&delay, "delay", 500*time.Millisecond, "how late it answers")
	}
	if verb == "fail" {
		c.Flags().Float64Var(&ratio, "ratio", 1, "which part of its requests it fails")
	}
	return c
}

// instances returns service and instance of all that are announced.
func instances(ctx context.Context, client *coord.Client) (map[string]string, error) {
	prefix := client.Key("discovery") + "/"
	resp, err := client.Etcd().Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	list := make(map[string]string)
	for _, kv := range resp.Kvs {
		if service, instance, ok := strings.Cut(strings.TrimPrefix(string(kv.Key), prefix), "/"); ok {
			list[instance] = service
		}
	}
	return list, nil
}

// mustKnow refuses an instance that is not there: a misspelt name would change
// nothing, silently.
func mustKnow(ctx context.Context, client *coord.Client, instance string) error {
	known, err := instances(ctx, client)
	if err != nil || known[instance] != "" {
		return err
	}
	return &NotFoundError{fmt.Sprintf("no instance %q is announced", instance), "otelplat services"}
}

// completeInstances answers within half a second, or says nothing.
func completeInstances(c *cobra.Command, t *target) []string {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	t.timeout = 400 * time.Millisecond
	client, err := t.open(ctx)
	if err != nil {
		return nil
	}
	defer func() { _ = client.Close() }() // only read
	known, err := instances(ctx, client)
	if err != nil {
		return nil
	}
	var names []string
	for name := range known {
		names = append(names, name)
	}
	return names
}

func outageCommand() *cobra.Command {
	var dataDir string
	var d time.Duration
	c := &cobra.Command{
		Use: "outage etcd|nats|collector", Short: "Stop etcd, NATS or the collector for a while",
		Long: `Stops a part of the running platform, and starts it again on the same data after
--for. The shop goes on meanwhile.`,
		Example: "  otelplat demo outage etcd --for 60s",
		Args:    cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{"etcd", "nats", "collector"},
		RunE: func(c *cobra.Command, args []string) error {
			if d <= 0 || d > time.Hour {
				return &UsageError{fmt.Errorf("--for %v is not between 0s and 1h", d), c.CommandPath()}
			}
			dir := datadir.At(dataDir)
			if _, err := dir.Running(); err != nil {
				return err
			}
			if err := dir.AskOutage(datadir.Outage{Child: args[0], For: d}); err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "%s stops within a second, for %v\n", args[0], d)
			return nil
		},
	}
	c.Flags().StringVar(&dataDir, "data-dir", datadir.Default, "data directory of the running up")
	c.Flags().DurationVar(&d, "for", 30*time.Second, "how long")
	return c
}
