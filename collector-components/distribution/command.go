// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/otel"
)

//go:embed hardened.yaml
var hardened string

const long = `otelplat-collector receives telemetry over OTLP, asks policy who may send what and what is
kept, publishes the fleet's signals, and exports.

Without --config it runs the default configuration, which OTELPLAT_* variables set up:

  OTELPLAT_JWKS_FILE       public keys of the tokens' issuer (needed)
  OTELPLAT_POLICY_KEYS     public keys that sign bundles (needed)
  OTELPLAT_ETCD_ENDPOINTS  where etcd is (http://127.0.0.1:2379)
  OTELPLAT_EXPORT          OTLP gRPC endpoint to export to; without it all is discarded
  OTELPLAT_STATE_DIR       where the last good state is kept, for starts without etcd

--config says where another one is. Several are merged, later ones over earlier ones:

  file:/etc/collector.yaml      a file; read again on SIGHUP
  etcd:edge                     the document of 'otelplat config put edge'; followed. A change is
                                dry-run before the collector reloads, a bad one is refused, and the
                                last good one is kept in OTELPLAT_STATE_DIR
  https://host/collector.yaml   fetched at the start
  env:COLLECTOR                 an environment variable
  yaml:exporters::debug: {}     text

In a configuration ${env:NAME}, ${env:NAME:-default}, ${file:PATH} and ${etcd:NAME} stand for what
they name.`

const examples = `  otelplat-collector --print-config > collector.yaml       # to start one's own from
  otelplat-collector --print-config=hardened               # TLS, tokens, a queue on disk
  otelplat-collector validate --config file:collector.yaml
  otelplat-collector --config file:collector.yaml --set processors.batch.timeout=2s
  otelplat-collector --config etcd:edge
  otelplat-collector components`

func newCommand(version string) *cobra.Command {
	o := components.Options{Version: version}
	var print string
	c := &cobra.Command{
		Use: "otelplat-collector", Short: "The OpenTelemetry Collector of otelplat", Long: long, Example: examples, Version: version,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			if print != "" {
				text, err := printed(print)
				fmt.Fprint(c.OutOrStdout(), text)
				return err
			}
			otel.SetLoggerProvider(components.Events(c.ErrOrStderr()))
			return components.Run(c.Context(), o)
		},
	}
	c.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	c.PersistentFlags().Var(&locations{&o.URIs}, "config", "location of a configuration; may be repeated")
	c.PersistentFlags().Var(&values{&o.URIs}, "set", "one value over all that stand before it, as processors.batch.timeout=2s; may be repeated")
	gates := flag.NewFlagSet("", flag.ContinueOnError)
	featuregate.GlobalRegistry().RegisterFlags(gates)
	c.PersistentFlags().AddGoFlagSet(gates)
	c.PersistentFlags().Lookup("feature-gates").DefValue = "" // the featuregate command lists them
	c.Flags().StringVar(&print, "print-config", "", "print the configuration \"default\" or \"hardened\" and end")
	c.Flags().Lookup("print-config").NoOptDefVal = "default"
	c.AddCommand(validateCommand(&o), componentsCommand())
	// Upstream's list of feature gates is as good here.
	upstream := otelcol.NewCommand(components.Settings(components.Options{}))
	for _, sub := range upstream.Commands() {
		if sub.Name() == "featuregate" {
			upstream.RemoveCommand(sub)
			c.AddCommand(sub)
		}
	}
	return c
}

func printed(which string) (string, error) {
	switch which {
	case "default":
		return components.DefaultConfig(), nil
	case "hardened":
		return hardened, nil
	}
	return "", fmt.Errorf("there is no configuration %q: default and hardened are", which)
}

// locations and values add to the same list, in the order of the command line.
type (
	locations struct{ uris *[]string }
	values    struct{ uris *[]string }
)

var (
	_ pflag.Value = (*locations)(nil)
	_ pflag.Value = (*values)(nil)
)

func (l *locations) Type() string   { return "location" }
func (l *locations) String() string { return "" }
func (l *locations) Set(s string) error {
	if s == "" {
		return errors.New("a location is expected, as file:/etc/collector.yaml or etcd:NAME")
	}
	*l.uris = append(*l.uris, s)
	return nil
}

func (v *values) Type() string   { return "key=value" }
func (v *values) String() string { return "" }
func (v *values) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		return errors.New("key=value is expected, as processors.batch.timeout=2s")
	}
	if len(*v.uris) == 0 { // over the default one
		*v.uris = components.DefaultURIs()
	}
	*v.uris = append(*v.uris, "yaml:"+strings.ReplaceAll(strings.TrimSpace(key), ".", "::")+": "+strings.TrimSpace(value))
	return nil
}
