// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// call runs the command.
func call(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

// short is a simulation that takes no time.
var short = []string{"-clients", "5", "-replicas", "10", "-warmup", "2s", "-measure", "4s", "-seeds", "1,2", "-loads", "0.7,1.2"}

func TestWrongFlagsAreRefusedByName(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"a flag that does not exist":    {[]string{"-colour", "red"}, "-colour"},
		"a policy that does not exist":  {[]string{"-policies", "prequal,best"}, `-policies "best": want random, rr`},
		"a policy twice":                {[]string{"-policies", "rr,rr"}, "comes twice"},
		"a load that is no number":      {[]string{"-loads", "0.7,high"}, `-loads "high": invalid syntax`},
		"a load of nothing":             {[]string{"-loads", "0"}, "load 0, want"},
		"a load that is not a number":   {[]string{"-loads", "NaN"}, "load NaN, want"},
		"a seed below zero":             {[]string{"-seeds", "-1"}, `-seeds "-1"`},
		"no seed":                       {[]string{"-seeds", ""}, `-seeds ""`},
		"no clients":                    {[]string{"-clients", "0"}, "clients 0, want 1"},
		"a discipline of its own":       {[]string{"-discipline", "lifo"}, `discipline "lifo", want ps or fifo`},
		"probes below zero":             {[]string{"-probes", "-1"}, "-probes -1, want 0 to 100"},
		"probes a second below zero":    {[]string{"-probes-per-second", "-1"}, "-probes-per-second -1"},
		"more than all without CPU":     {[]string{"-stock", "1.5"}, "-stock 1.5, want 0 to 1"},
		"an output of its own":          {[]string{"-o", "xml"}, `-o "xml", want table or json`},
		"a fault that does not exist":   {[]string{"-fault", "lazy"}, `fault "lazy", want sinkhole`},
		"faulty replicas without fault": {[]string{"-faulty", "2"}, "-faulty without -fault"},
		"a fault of nobody":             {[]string{"-fault", "hung", "-faulty", "0"}, "-faulty 0"},
		"more faulty than there are":    {[]string{"-fault", "hung", "-faulty", "101"}, "faulty replicas 101, want 0 to 100"},
		"no time":                       {[]string{"-measure", "0s"}, "measured 0s"},
		"a slow speed of zero":          {[]string{"-slow-speed", "0"}, "slow speed 0"},
		"no processor":                  {[]string{"-cpu", "0"}, "-cpu 0"},
		"an argument":                   {[]string{"prequal"}, `unexpected argument "prequal"`},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(tc.args...)
			if code != 2 || stdout != "" {
				t.Errorf("exit code %d with output %q, want 2 and nothing", code, stdout)
			}
			if !strings.Contains(stderr, tc.want) {
				t.Errorf("got %q, want it to say %q", stderr, tc.want)
			}
		})
	}
}

func TestHelpNamesPoliciesFaultsAndExitCodes(t *testing.T) {
	code, _, help := call("-help")
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	for _, want := range append(names(), "sinkhole", "Exit codes", "-publish-change", "-probes-per-second", "-episode") {
		if !strings.Contains(help, want) {
			t.Errorf("the help does not mention %s", want)
		}
	}
}

func TestJSONIsAListOfFiguresByPolicyAndLoad(t *testing.T) {
	code, stdout, stderr := call(append(short, "-policies", "prequal,adaptive", "-o", "json")...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var all []map[string]any
	if err := json.Unmarshal([]byte(stdout), &all); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, f := range all {
		order = append(order, f["policy"].(string))
		if len(f) != 8 {
			t.Errorf("%d fields, want 8: %v", len(f), f)
		}
		p50, p90, p99, p999 := f["p50_ms"].(float64), f["p90_ms"].(float64), f["p99_ms"].(float64), f["p999_ms"].(float64)
		if !(0 < p50 && p50 < p90 && p90 < p99 && p99 <= p999) {
			t.Errorf("quantiles that do not rise: %v", f)
		}
		if f["error_ratio"].(float64) != 0 || f["messages_per_request"].(float64) <= 0 || f["load"].(float64) <= 0 {
			t.Errorf("want no errors, some messages and a load: %v", f)
		}
	}
	if want := []string{"prequal", "prequal", "adaptive", "adaptive"}; !slices.Equal(order, want) {
		t.Errorf("in the order %v, want %v", order, want)
	}
}

func TestTheTableComparesWithPrequalWhereItRan(t *testing.T) {
	_, with, _ := call(append(short, "-policies", "prequal,rr")...)
	_, without, _ := call(append(short, "-policies", "rr")...)
	if !strings.Contains(with, "p99/prequal") || strings.Contains(without, "p99/prequal") {
		t.Errorf("want the ratio in the first alone:\n%s\n%s", with, without)
	}
	if lines := strings.Count(with, "\n"); lines != 7 {
		t.Errorf("%d lines, want a title, an empty one, the columns, and one for each policy and load:\n%s", lines, with)
	}
}

func TestTheSameFlagsGiveTheSameOutputWhateverRunsAtOnce(t *testing.T) {
	args := append(short, "-policies", strings.Join(names(), ","), "-o", "json", "-fault", "flaky", "-publish-change", "-stock", "0.5")
	_, once, _ := call(append(args, "-cpu", "1")...)
	_, again, _ := call(append(args, "-cpu", "4")...)
	if once == "" || once != again {
		t.Errorf("two runs differ:\n%s\n%s", once, again)
	}
}

func TestPlotsAreWrittenAndAreTheSameTwice(t *testing.T) {
	dir := t.TempDir()
	var pictures [2][]string
	for i := range pictures {
		code, stdout, stderr := call(append(short, "-seeds", "1", "-policies", "prequal,adaptive", "-plot", dir)...)
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		for file := range strings.Lines(stdout) {
			svg, err := os.ReadFile(strings.TrimSpace(file))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(svg, []byte("<svg")) {
				t.Errorf("%s is no SVG", file)
			}
			pictures[i] = append(pictures[i], string(svg))
		}
	}
	if len(pictures[0]) != 2 || !slices.Equal(pictures[0], pictures[1]) {
		t.Errorf("%d and %d pictures, want two, the same twice", len(pictures[0]), len(pictures[1]))
	}
}

func TestADirectoryThatCannotBeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := call(append(short, "-seeds", "1", "-policies", "rr", "-plot", filepath.Join(file, "dir"))...)
	if code != 1 || !strings.Contains(stderr, "not a directory") {
		t.Errorf("exit code %d: %q, want 1 and why", code, stderr)
	}
}
