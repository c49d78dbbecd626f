// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/spf13/cobra"
)

func validateCommand(o *components.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Say whether a configuration can be used, without running it",
		Long: `validate makes every component of the configuration's pipelines and starts none: no port is
opened and nothing is sent. It does not see what only a start shows, such as a port that is taken.

The exit code is 0 for a configuration that can be used and 1 for one that cannot.`,
		Example: `  otelplat-collector validate --config file:collector.yaml
  otelplat-collector validate --config etcd:edge
  otelplat-collector validate        # the default one, with this environment`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := components.Validate(c.Context(), *o); err != nil {
				return fmt.Errorf("%s is not valid: %w", where(o.URIs), err)
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s is valid\n", where(o.URIs))
			return err
		},
	}
}

// where names the locations. A text is not repeated.
func where(uris []string) string {
	if len(uris) == 0 {
		return "the default configuration"
	}
	names := make([]string, len(uris))
	for i, uri := range uris {
		names[i] = uri
		if strings.HasPrefix(uri, "yaml:") {
			names[i] = "yaml:…"
		}
	}
	return "the configuration of " + strings.Join(names, ", ")
}
