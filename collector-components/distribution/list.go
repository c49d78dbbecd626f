// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

func componentsCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "components", Short: "List what a configuration can name", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, to := components.List(), c.OutOrStdout()
			switch output {
			case "table":
				return table(to, list)
			case "json":
				e := json.NewEncoder(to)
				e.SetIndent("", "  ")
				return e.Encode(list)
			case "yaml":
				return yaml.NewEncoder(to).Encode(list)
			}
			return fmt.Errorf("output %q is none of table, json, yaml", output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "table, json or yaml")
	return c
}

func table(to io.Writer, list []components.Component) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tTYPE\tSTABILITY\tPACKAGE")
	for _, c := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Kind, c.Type, stability(c.Stability), c.Package)
	}
	return w.Flush()
}

// stability is the level, or each signal's where they differ.
func stability(by map[string]string) string {
	levels := slices.Compact(slices.Sorted(maps.Values(by)))
	switch len(levels) {
	case 0:
		return "-"
	case 1:
		return strings.ToLower(levels[0])
	}
	var parts []string
	for _, signal := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, signal+" "+strings.ToLower(by[signal]))
	}
	return strings.Join(parts, ", ")
}
