// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// output is the form in which a command prints what it found.
type output string

func (o *output) flags(c *cobra.Command) {
	*o = "table"
	c.Flags().VarP(o, "output", "o", "table, or json")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// String, Set and Type make it a flag.
func (o *output) String() string { return string(*o) }

// Set takes table and json.
func (o *output) Set(s string) error {
	if s != "table" && s != "json" {
		return fmt.Errorf("want table or json, not %q", s)
	}
	*o = output(s)
	return nil
}

// Type is what the help shows.
func (o *output) Type() string { return "form" }

func (o *output) json() bool { return *o == "json" }

// print writes a list: as JSON, an empty one as [], or with table.
func print[T any](w io.Writer, o output, list []T, table func(io.Writer, []T) error) error {
	if !o.json() {
		return table(w, list)
	}
	if list == nil {
		list = []T{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(list)
}
