// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"net/url"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"github.com/spf13/cobra"
)

// sdkTTL is how long the token in an environment is good: a stock SDK does not
// read it again.
const sdkTTL = 24 * time.Hour

func envCommand() *cobra.Command {
	var dataDir string
	c := &cobra.Command{
		Use: "env SERVICE", Short: "Print what lets a service join the running platform",
		Long: `Prints environment variables for a service with any OpenTelemetry SDK: endpoint,
name, and a token for that name that is good for a day.`,
		Example: `  eval "$(otelplat env checkout)" && ./checkout`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			running, token, err := join(dataDir, devissuer.Claims{Kind: "service", Subject: args[0], TTL: sdkTTL})
			if err != nil {
				return err
			}
			for _, pair := range [][2]string{
				{"OTEL_SERVICE_NAME", args[0]},
				{"OTEL_EXPORTER_OTLP_ENDPOINT", running.OTLPGRPC},
				{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
				// Values of headers are percent-encoded (OTLP exporter specification).
				{"OTEL_EXPORTER_OTLP_HEADERS", "authorization=" + url.PathEscape("Bearer "+token)},
				{"OTELPLAT_EVENTS_ENDPOINT", running.Events},
				{"OTELPLAT_NATS_URL", running.NATS},
				{"OTELPLAT_ETCD_ENDPOINTS", running.Etcd},
				{"OTELPLAT_NAMESPACE", running.Namespace},
			} {
				fmt.Fprintf(c.OutOrStdout(), "export %s='%s'\n", pair[0], pair[1])
			}
			return nil
		},
	}
	c.Flags().StringVar(&dataDir, "data-dir", datadir.Default, "data directory of the running up")
	return c
}

// join finds the running up, and issues a token.
func join(dataDir string, claims devissuer.Claims) (datadir.Running, string, error) {
	if err := coord.CheckName("name", claims.Subject); err != nil {
		return datadir.Running{}, "", err
	}
	dir := datadir.At(dataDir)
	running, err := dir.Running()
	if err != nil {
		return datadir.Running{}, "", err
	}
	issuer, err := dir.Issuer()
	if err != nil {
		return datadir.Running{}, "", err
	}
	token, err := issuer.Token(claims)
	return running, token, err
}

func tokenCommand() *cobra.Command {
	var dataDir, tenant string
	var kind string
	var ttl time.Duration
	c := &cobra.Command{
		Use: "token SUBJECT", Short: "Print a token of the running platform's development issuer",
		Example: `  curl -H "Authorization: Bearer $(otelplat token alice)" -d '{"item":"book","quantity":1}' localhost:8080/orders`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if kind != "user" && kind != "service" {
				return &UsageError{fmt.Errorf("--kind %q is neither user nor service", kind), c.CommandPath()}
			}
			if ttl <= 0 || ttl > sdkTTL {
				return &UsageError{fmt.Errorf("--ttl %v is not between 0s and %v", ttl, sdkTTL), c.CommandPath()}
			}
			_, token, err := join(dataDir, devissuer.Claims{Kind: kind, Subject: args[0], Tenant: tenant, TTL: ttl})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), token)
			return err
		},
	}
	c.Flags().StringVar(&dataDir, "data-dir", datadir.Default, "data directory of the running up")
	c.Flags().StringVar(&kind, "kind", "user", "user, or service")
	c.Flags().StringVar(&tenant, "tenant", "", "tenant")
	c.Flags().DurationVar(&ttl, "ttl", devissuer.DefaultTTL, "how long it is good")
	return c
}
