// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"github.com/otelplat/platform/collector-components/policyprocessor/internal/metadata"
	"os"
	"path/filepath"
	"testing"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"
)

func TestConfiguration(t *testing.T) {
	if err := componenttest.CheckConfigStruct(NewFactory().CreateDefaultConfig()); err != nil {
		t.Error(err)
	}
	etcd := &etcdconfig.Config{}
	tests := map[string]struct {
		change func(*Config)
		valid  bool
	}{
		"a directory":            {func(c *Config) { c.Directory = "d" }, true},
		"etcd with keys":         {func(c *Config) { c.Etcd, c.Keys = etcd, []string{"k"} }, true},
		"etcd without keys":      {func(c *Config) { c.Etcd = etcd }, false},
		"no source":              {func(*Config) {}, false},
		"two sources":            {func(c *Config) { c.Directory, c.Etcd, c.Keys = "d", etcd, []string{"k"} }, false},
		"another mode":           {func(c *Config) { c.Directory, c.Mode = "d", "watch" }, false},
		"observing":              {func(c *Config) { c.Directory, c.Mode = "d", ModeObserve }, true},
		"a name that is no name": {func(c *Config) { c.Directory, c.Bundle = "d", "a/b" }, false},
	}
	for name, test := range tests {
		cfg := NewFactory().CreateDefaultConfig().(*Config)
		test.change(cfg)
		if err := cfg.Validate(); (err == nil) != test.valid {
			t.Errorf("%s: error is %v, expected valid to be %v", name, err, test.valid)
		}
	}
}

func TestSourcesDifferByTheirPasswords(t *testing.T) {
	a := source{bundle: "b", etcd: &etcdconfig.Config{User: "u", Password: "one"}}
	b := source{bundle: "b", etcd: &etcdconfig.Config{User: "u", Password: "two"}}
	if a.key() == b.key() {
		t.Error("two users should not share a connection")
	}
}

// folder is a configuration whose bundle is loaded when the processor starts.
func folder(t *testing.T, mode, rego string) *Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "policy.rego"), []byte(rego), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := defaultConfig().(*Config)
	cfg.Mode, cfg.Directory = mode, dir
	return cfg
}

func TestWhatWasAcceptedIsPassedOnBeforeShutdown(t *testing.T) {
	processortest.VerifyShutdown(t, NewFactory(), folder(t, ModeEnforce, "package otelplat.telemetry\ndrop contains \"x\" if input.item.name == \"x\""))
}

func TestSixInstancesShareOneEngineAndGiveItBack(t *testing.T) {
	cfg := folder(t, ModeEnforce, "package otelplat.telemetry\ndrop contains \"x\"")
	f := NewFactory()
	var stop []func()
	for range 2 {
		p, err := f.CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		m, err := f.CreateMetrics(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.CreateTraces(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []component.Component{p, m, s} {
			if err := c.Start(t.Context(), componenttest.NewNopHost()); err != nil {
				t.Fatal(err)
			}
			stop = append(stop, func() { c.Shutdown(t.Context()); c.Shutdown(t.Context()) })
		}
	}
	if n := engines.Len(); n != 1 {
		t.Errorf("%d engines, expected one that six instances share", n)
	}
	for _, s := range stop {
		s()
	}
	if n := engines.Len(); n != 0 {
		t.Errorf("%d engines are left", n)
	}
}
