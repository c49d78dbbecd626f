// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/otelplat/platform/policy"
	"github.com/spf13/cobra"
)

func TestAReplayShowsWhatAPushWouldChange(t *testing.T) {
	before := policy.Bundle{Name: "shop", Revision: "1", Files: map[string]string{"a.rego": "package shop\n\ndefault allow := false\n\nallow if input.action.name == \"read\"\n"}}
	after := policy.Bundle{Name: "shop", Revision: "2", Files: map[string]string{"a.rego": "package shop\n\ndefault allow := false\n\nallow if input.action.name in {\"read\", \"write\"}\n\ndeny contains \"banned\" if input.subject.id == \"eve\"\n"}}
	request := func(who, action string) string {
		return `{"subject":{"type":"user","id":"` + who + `"},"action":{"name":"` + action + `"},"resource":{"type":"o","id":"1"}}` + "\n"
	}
	run := func(input string) (string, string, error) {
		var out, errOut bytes.Buffer
		c := &cobra.Command{}
		c.SetContext(t.Context())
		c.SetIn(strings.NewReader(input))
		c.SetOut(&out)
		c.SetErr(&errOut)
		form := output("table")
		err := (&replay{file: "-", entrypoint: "shop"}).run(c, form, before, after)
		return out.String(), errOut.String(), err
	}
	out, says, err := run(request("ann", "read") + "\n" + request("ann", "write") + request("eve", "read") + request("ann", "delete"))
	var differ *differError
	if !errors.As(err, &differ) || !strings.Contains(says, "4 requests, 2 decided otherwise") {
		t.Errorf("%v, %q", err, says)
	}
	for _, want := range []string{"line 3: user ann, write, o 1: deny (default) becomes allow (allow)", "line 4: user eve, read, o 1: allow (allow) becomes deny (banned)"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
	if out, _, err := run(request("ann", "read")); err != nil || out != "" {
		t.Errorf("%q %v", out, err)
	}
	var usage *UsageError
	if _, _, err := run(request("ann", "read") + "{"); !errors.As(err, &usage) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
}
