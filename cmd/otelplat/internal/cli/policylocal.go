// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/otelplat/platform/policy"
	"github.com/spf13/cobra"
)

// readBundle reads a folder of policies, as it is.
func readBundle(path string) (policy.Bundle, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return policy.Bundle{}, &NotFoundError{path + " is not a folder", "name a folder with *.rego files"}
	}
	return policy.Folder(filepath.Base(path), os.DirFS(path))
}

// compiled reads and compiles a folder.
func compiled(ctx context.Context, path string) (*policy.Snapshot, error) {
	b, err := readBundle(path)
	if err != nil {
		return nil, err
	}
	return policy.Compile(ctx, b)
}

// readInput reads an access evaluation request from a file, or from standard input.
func readInput(c *cobra.Command, path string) (in policy.Input, err error) {
	var text []byte
	if path == "-" {
		text, err = io.ReadAll(io.LimitReader(c.InOrStdin(), policy.MaxInputText))
	} else {
		text, err = os.ReadFile(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return in, &NotFoundError{path + " is not there", "name a file with a request as AuthZEN writes it, or - for standard input"}
	}
	if err != nil {
		return in, err
	}
	return parseInput(text)
}

func parseInput(text []byte) (in policy.Input, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return in, &UsageError{fmt.Errorf("the input is no request as AuthZEN writes it: %w", err), "otelplat policy eval"}
	}
	return in, nil
}

func policyTest() *cobra.Command {
	var out output
	var least float64
	c := &cobra.Command{
		Use: "test DIR", Short: "Run the tests of a folder of policies", Args: cobra.ExactArgs(1),
		Long: `Runs the rules named test_… and prints those that fail, each with the trace of what
was evaluated, and how much of the policies the tests evaluate. The code is 10 when one
fails, or when less is evaluated than --coverage asks for.`,
		Example: "  otelplat policy test ./policy\n  otelplat policy test ./policy --coverage 90 -o json",
		RunE: func(c *cobra.Command, args []string) error {
			b, err := readBundle(args[0])
			if err != nil {
				return err
			}
			report, err := policy.Test(c.Context(), b)
			if err != nil {
				return err
			}
			if out.json() {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				if err := e.Encode(report); err != nil {
					return err
				}
			} else {
				printTests(c.OutOrStdout(), report)
			}
			switch failed := report.Failed(); {
			case failed > 0:
				return &differError{failed}
			case report.Coverage*100 < least:
				return &policy.BundleError{Bundle: b.Name, Reason: fmt.Sprintf("the tests evaluate %.0f %% of it, less than %.0f %%", report.Coverage*100, least)}
			}
			return nil
		},
	}
	out.flags(c)
	c.Flags().Float64Var(&least, "coverage", 0, "percent of the policies that the tests have to evaluate")
	return c
}

func printTests(w io.Writer, report policy.TestReport) {
	passed, skipped := 0, 0
	for _, t := range report.Tests {
		switch {
		case t.Skipped:
			skipped++
		case t.Pass:
			passed++
		default:
			fmt.Fprintf(w, "FAIL %s (%s:%d)\n", t.Name, t.File, t.Line)
			if t.Error != "" {
				fmt.Fprintf(w, "  %s\n", t.Error)
			}
			for line := range strings.Lines(t.Trace) {
				fmt.Fprintf(w, "  %s", line)
			}
		}
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped; %.0f %% of the policies evaluated\n", passed, report.Failed(), skipped, report.Coverage*100)
	var files []string
	for file := range report.Missed {
		files = append(files, file)
	}
	slices.Sort(files)
	for _, file := range files {
		fmt.Fprintf(w, "  not evaluated: %s:%s\n", file, spans(report.Missed[file]))
	}
}

// spans writes lines as 3,5-7.
func spans(lines []int) string {
	slices.Sort(lines)
	lines = slices.Compact(lines)
	var parts []string
	for i := 0; i < len(lines); {
		j := i
		for j+1 < len(lines) && lines[j+1] == lines[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(lines[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", lines[i], lines[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

func policyFmt() *cobra.Command {
	var write bool
	c := &cobra.Command{
		Use: "fmt DIR", Short: "Find policies that are not formatted, and format them", Args: cobra.ExactArgs(1),
		Long: `Prints the files whose form is not that of "opa fmt"; the code is 10 when there are
any. With --write they are rewritten.`,
		Example: "  otelplat policy fmt ./policy --write",
		RunE: func(c *cobra.Command, args []string) error {
			b, err := readBundle(args[0])
			if err != nil {
				return err
			}
			n := 0
			for _, name := range sortedFiles(b) {
				if !strings.HasSuffix(name, ".rego") {
					continue
				}
				formatted, err := format.SourceWithOpts(name, []byte(b.Files[name]), format.Opts{RegoVersion: ast.RegoV1})
				if err != nil {
					return &policy.BundleError{Bundle: b.Name, File: name, Reason: err.Error()}
				}
				if string(formatted) == b.Files[name] {
					continue
				}
				fmt.Fprintln(c.OutOrStdout(), name)
				if !write {
					n++
				} else if err := rewrite(filepath.Join(args[0], name), formatted); err != nil {
					return err
				}
			}
			if n > 0 {
				return &differError{n}
			}
			return nil
		},
	}
	c.Flags().BoolVarP(&write, "write", "w", false, "rewrite the files")
	return c
}

func sortedFiles(b policy.Bundle) []string {
	names := make([]string, 0, len(b.Files))
	for name := range b.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// rewrite replaces a file as a whole, and keeps its permissions.
func rewrite(path string, text []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, text, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// printedDecision is a decision as eval prints it.
type printedDecision struct {
	Allow       bool           `json:"allow"`
	Outcome     policy.Outcome `json:"outcome"`
	Rule        string         `json:"rule"`
	Rules       []string       `json:"rules,omitempty"`
	Reasons     []string       `json:"reasons,omitempty"`
	Obligations []any          `json:"obligations,omitempty"`
	Error       string         `json:"error,omitempty"`
}

func policyEval() *cobra.Command {
	var input string
	c := &cobra.Command{
		Use: "eval DIR ENTRYPOINT", Short: "Decide one request by a folder of policies", Args: cobra.ExactArgs(2),
		Long: `Reads a request as AuthZEN writes it, {"subject": {"type", "id", "properties"}, "action":
{"name"}, "resource": {"type", "id", "properties"}, "context"}, and prints the decision of
the entrypoint, which is a package with a rule allow. The code is 10 when it denies.`,
		Example: "  otelplat policy eval ./policy shop.orders --input request.json",
		RunE: func(c *cobra.Command, args []string) error {
			in, err := readInput(c, input)
			if err != nil {
				return err
			}
			s, err := compiled(c.Context(), args[0])
			if err != nil {
				return err
			}
			d, err := s.Decide(c.Context(), args[1], in)
			if errors.Is(err, policy.ErrNoEntrypoint) {
				return err
			}
			p := printDecision(d, err)
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			if err := e.Encode(p); err != nil {
				return err
			}
			if !d.Allow {
				return &differError{1}
			}
			return nil
		},
	}
	c.Flags().StringVarP(&input, "input", "i", "-", "file of the request; - is standard input")
	return c
}

func policyExplain() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "explain DIR [ENTRYPOINT…]", Short: "Tell how each rule is evaluated, and why not faster", Args: cobra.MinimumNArgs(1),
		Long: `Prints for each entrypoint which path it takes: native (lowered to indexed matchers),
cached (by OPA, once for all requests that agree in what it reads) or opa; why not the
faster one; and for each rule the conditions by which it is found. The rules of telemetry
are asked each by itself: native, batched (by OPA, of many items at once) or opa.`,
		Example: "  otelplat policy explain ./policy\n  otelplat policy explain ./policy shop.orders -o json",
		RunE: func(c *cobra.Command, args []string) error {
			s, err := compiled(c.Context(), args[0])
			if err != nil {
				return err
			}
			names := args[1:]
			if len(names) == 0 {
				if names = s.Entrypoints(); s.Has(telemetryPackage) {
					names = append(names, telemetryPackage)
				}
			}
			var list []policy.Explanation
			for _, name := range names {
				x, err := s.Explain(c.Context(), name)
				if err != nil {
					return err
				}
				list = append(list, x)
			}
			return print(c.OutOrStdout(), out, list, printExplanations)
		},
	}
	out.flags(c)
	return c
}

// telemetryPackage is what the collector asks of spans, metrics and log records.
const telemetryPackage = "otelplat.telemetry"

func printExplanations(w io.Writer, list []policy.Explanation) error {
	for _, x := range list {
		fmt.Fprintf(w, "%s: %s\n", x.Entrypoint, x.Path)
		if r := x.Refused; r != nil {
			fmt.Fprintf(w, "  not native: %s", r.Reason)
			if r.File != "" {
				fmt.Fprintf(w, " (%s:%d)", r.File, r.Line)
			}
			fmt.Fprintln(w)
		}
		for _, r := range x.Rules {
			at := r.Rule
			if r.File != "" {
				at += fmt.Sprintf(" (%s:%d)", r.File, r.Line)
			}
			how := r.Why
			if r.Path != x.Path {
				how = strings.TrimSuffix(r.Path+"; "+how, "; ")
			}
			if len(r.Indexed) > 0 {
				how = "found by " + strings.Join(r.Indexed, ", ")
			}
			if _, err := fmt.Fprintf(w, "  %s: %s\n", at, how); err != nil {
				return err
			}
		}
	}
	return nil
}

func policyBench() *cobra.Command {
	var input string
	var length time.Duration
	c := &cobra.Command{
		Use: "bench DIR ENTRYPOINT", Short: "Measure how long a decision takes", Args: cobra.ExactArgs(2),
		Long: `Decides one request again and again, and prints how long one decision takes, by the
path that engines take and by OPA alone.`,
		Example: "  otelplat policy bench ./policy shop.orders --input request.json",
		RunE: func(c *cobra.Command, args []string) error {
			in, err := readInput(c, input)
			if err != nil {
				return err
			}
			s, err := compiled(c.Context(), args[0])
			if err != nil {
				return err
			}
			x, err := s.Explain(c.Context(), args[1])
			if err != nil {
				return err
			}
			ours, n := repeat(c.Context(), length, func() { _, _ = s.Decide(c.Context(), args[1], in) }) // how long, not what
			fmt.Fprintf(c.OutOrStdout(), "%-7s %10v a decision, %d decisions\n", x.Path, ours, n)
			opa, n := repeat(c.Context(), length, func() { _, _ = s.DecideByOPA(c.Context(), args[1], in) })
			fmt.Fprintf(c.OutOrStdout(), "%-7s %10v a decision, %d decisions: %.1f times as long\n", "opa", opa, n, float64(opa)/float64(ours))
			return c.Context().Err()
		},
	}
	c.Flags().StringVarP(&input, "input", "i", "-", "file of the request; - is standard input")
	c.Flags().DurationVar(&length, "for", time.Second, "how long to measure each")
	return c
}

// repeat calls fn for a time, and returns how long one call took.
func repeat(ctx context.Context, length time.Duration, fn func()) (each time.Duration, n int) {
	fn() // what is made once does not count
	began := time.Now()
	for time.Since(began) < length && ctx.Err() == nil {
		for range 100 {
			fn()
		}
		n += 100
	}
	return time.Since(began) / time.Duration(max(n, 1)), n
}
