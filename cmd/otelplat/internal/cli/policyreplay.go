// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/otelplat/platform/policy"
	"github.com/spf13/cobra"
)

// maxRequest bounds one line of a file of requests, in bytes.
const maxRequest = 1 << 20

// replay decides recorded requests by two revisions.
type replay struct {
	file, entrypoint, with string
}

func (r *replay) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.file, "replay", "", "file of requests to decide by both, one a line; - is standard input")
	c.Flags().StringVar(&r.entrypoint, "entrypoint", "", "package that decides them")
	c.Flags().StringVar(&r.with, "with", "", "folder to compare the newest revision with")
	c.MarkFlagsRequiredTogether("replay", "entrypoint")
}

// disagreement is a request that two revisions decide otherwise.
type disagreement struct {
	Line    int             `json:"line"`
	Before  printedDecision `json:"before"`
	After   printedDecision `json:"after"`
	Subject string          `json:"subject"`
	Action  string          `json:"action"`
	Object  string          `json:"resource"`
}

func (r *replay) run(c *cobra.Command, out output, before, after policy.Bundle) error {
	if r.file == "" {
		return &UsageError{errors.New("--with needs --replay, a file of requests"), c.CommandPath()}
	}
	was, err := policy.Compile(c.Context(), before)
	if err != nil {
		return err
	}
	will, err := policy.Compile(c.Context(), after)
	if err != nil {
		return err
	}
	in := c.InOrStdin()
	if r.file != "-" {
		f, err := os.Open(r.file)
		if errors.Is(err, os.ErrNotExist) {
			return &NotFoundError{r.file + " is not there", "name a file with one request a line"}
		}
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	list, n, err := r.compare(c, in, was, will)
	if err != nil {
		return err
	}
	if err := print(c.OutOrStdout(), out, list, printDisagreements); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "%d requests, %d decided otherwise\n", n, len(list))
	if len(list) > 0 {
		return &differError{len(list)}
	}
	return nil
}

func (r *replay) compare(c *cobra.Command, in io.Reader, was, will *policy.Snapshot) (list []disagreement, n int, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxRequest)
	for line := 1; lines.Scan(); line++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		request, err := parseInput(lines.Bytes())
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", line, err)
		}
		n++
		before, err1 := was.Decide(c.Context(), r.entrypoint, request)
		after, err2 := will.Decide(c.Context(), r.entrypoint, request)
		if errors.Is(err1, policy.ErrNoEntrypoint) && errors.Is(err2, policy.ErrNoEntrypoint) {
			return nil, 0, err1
		}
		if before.Allow == after.Allow && before.Outcome == after.Outcome && fmt.Sprint(before.Rules, before.Reasons, before.Obligations) == fmt.Sprint(after.Rules, after.Reasons, after.Obligations) {
			continue
		}
		list = append(list, disagreement{
			Line: line, Before: printDecision(before, err1), After: printDecision(after, err2),
			Subject: request.Subject.Type + " " + request.Subject.ID, Action: request.Action.Name, Object: request.Resource.Type + " " + request.Resource.ID,
		})
	}
	if err := lines.Err(); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", r.file, err)
	}
	return list, n, nil
}

func printDecision(d policy.Decision, err error) printedDecision {
	p := printedDecision{d.Allow, d.Outcome, d.Rule, d.Rules, d.Reasons, d.Obligations, ""}
	if err != nil {
		p.Error = err.Error()
	}
	return p
}

func printDisagreements(w io.Writer, list []disagreement) error {
	for _, d := range list {
		if _, err := fmt.Fprintf(w, "line %d: %s, %s, %s: %s (%s) becomes %s (%s)\n",
			d.Line, d.Subject, d.Action, d.Object, d.Before.Outcome, d.Before.Rule, d.After.Outcome, d.After.Rule); err != nil {
			return err
		}
	}
	return nil
}
