// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/components"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs a command line and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := newCommand("1.2.3")
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&out)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t, args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out
}

const minimal = "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}}}}\nexporters: {nop: {}, debug: {}}\n" +
	"processors: {batch: {}}\nservice: {pipelines: {logs: {receivers: [otlp], processors: [batch], exporters: [nop]}}}\n"

func TestValidateSaysThatAConfigurationIsValidAndWhereItIs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "collector.yaml")
	if err := os.WriteFile(file, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := must(t, "validate", "--config", file, "--set", "processors.batch.timeout=2s"); out != "the configuration of "+file+", yaml:… is valid\n" {
		t.Errorf("printed %q", out)
	}
	for name, args := range map[string][]string{
		"a value that cannot be":   {"--config", file, "--set", "processors.batch.timeout=soon"},
		"a component it has not":   {"--config", file, "--config", "yaml:exporters: {carrier_pigeon: {}}"},
		"a file that there is not": {"--config", file + ".bak"},
		"a value without a key":    {"--config", file, "--set", "soon"},
		"no location":              {"--config", ""},
	} {
		if out, err := run(t, append([]string{"validate"}, args...)...); err == nil {
			t.Errorf("%s: %q", name, out)
		}
	}
}

func TestAValueGoesOverTheDefaultConfiguration(t *testing.T) {
	_, err := run(t, "validate", "--set", "exporters.carrier_pigeon.speed=2")
	if err == nil || !strings.Contains(err.Error(), "carrier_pigeon") {
		t.Errorf("error is %v", err)
	}
}

func TestComponentsListsThemForPeopleAndMachines(t *testing.T) {
	list := components.List()
	out := must(t, "components")
	if lines := strings.Count(out, "\n"); lines != len(list)+1 || !strings.HasPrefix(out, "KIND ") {
		t.Errorf("%d lines for %d components:\n%s", lines, len(list), out)
	}
	var fromJSON, fromYAML []components.Component
	if err := json.Unmarshal([]byte(must(t, "components", "-o", "json")), &fromJSON); err != nil || len(fromJSON) != len(list) {
		t.Errorf("%d as JSON: %v", len(fromJSON), err)
	}
	if err := yaml.Unmarshal([]byte(must(t, "components", "-o", "yaml")), &fromYAML); err != nil || len(fromYAML) != len(list) {
		t.Errorf("%d as YAML: %v", len(fromYAML), err)
	}
	if _, err := run(t, "components", "-o", "xml"); err == nil {
		t.Error("an output that there is not was taken")
	}
}

func TestTheConfigurationsCanBePrinted(t *testing.T) {
	if out := must(t, "--print-config"); out != components.DefaultConfig() {
		t.Error("--print-config does not print the default configuration")
	}
	if out := must(t, "--print-config=hardened"); out != hardened {
		t.Error("--print-config=hardened does not print the hardened configuration")
	}
	if _, err := run(t, "--print-config=soft"); err == nil {
		t.Error("a configuration that there is not was printed")
	}
}

func TestTheHelpTeachesAndTheVersionIsTold(t *testing.T) {
	help := must(t, "--help")
	for _, part := range []string{"etcd:edge", "OTELPLAT_STATE_DIR", "--print-config=hardened", "validate", "components", "--set"} {
		if !strings.Contains(help, part) {
			t.Errorf("the help does not mention %s", part)
		}
	}
	if out := must(t, "--version"); out != "otelplat-collector 1.2.3\n" {
		t.Errorf("the version is %q", out)
	}
	if version() == "" {
		t.Error("a binary without a version")
	}
}

func TestSystemdTakesTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	text, err := os.ReadFile("otelplat-collector.service")
	if err != nil {
		t.Fatal(err)
	}
	// The binary is not installed here.
	unit := filepath.Join(t.TempDir(), "otelplat-collector.service")
	here := strings.ReplaceAll(string(text), "/usr/local/bin/otelplat-collector", "/bin/true")
	if err := os.WriteFile(unit, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), "Unknown key") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
