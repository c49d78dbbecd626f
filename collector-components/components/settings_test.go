// SPDX-License-Identifier: Apache-2.0

package components_test

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn/devissuer"
	"go.opentelemetry.io/collector/otelcol"
)

// A dry run is made for each candidate in a process that runs on: this package's
// TestMain finds what it leaves behind.
func TestADryRunStartsNothingAndLeavesNothing(t *testing.T) {
	folder, address := t.TempDir(), free(t)
	public := filepath.Join(folder, "policy.pub")
	if _, err := policy.GenerateKey(filepath.Join(folder, "policy.key"), public); err != nil {
		t.Fatal(err)
	}
	if _, err := devissuer.Load(folder); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"OTELPLAT_JWKS_FILE": devissuer.JWKSPath(folder), "OTELPLAT_POLICY_KEYS": public, "OTELPLAT_OTLP_GRPC": address, "OTELPLAT_EXPORT": "127.0.0.1:1",
	} {
		t.Setenv(name, value)
	}
	for range 3 {
		if err := components.Validate(t.Context(), components.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address); err == nil {
		c.Close()
		t.Error("a dry run listens")
	}
	err := components.Validate(t.Context(), components.Options{URIs: append(components.DefaultURIs(), "yaml:processors::batch::timeout: soon")})
	if err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("error is %v", err)
	}
}

func TestEveryComponentIsInTheListOnceWithItsPackage(t *testing.T) {
	packages := components.Packages()
	want := 0
	for _, of := range packages {
		want += len(of)
	}
	list := components.List()
	if len(list) != want {
		t.Errorf("%d in the list, expected %d", len(list), want)
	}
	for _, c := range list {
		if !slices.Contains(packages[c.Kind+"s"], c.Package) {
			t.Errorf("%s %s is said to come from %s", c.Kind, c.Type, c.Package)
		}
		if c.Kind != "provider" && len(c.Stability) == 0 {
			t.Errorf("%s %s has no stability", c.Kind, c.Type)
		}
	}
}

func TestAProcessWithALoopOfItsOwnTakesTheSettings(t *testing.T) {
	collector, err := otelcol.NewCollector(components.Settings(components.Options{URIs: []string{"yaml:" + answering("up")}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HEALTH", free(t))
	if err := collector.DryRun(t.Context()); err != nil {
		t.Error(err)
	}
	collector.Shutdown()
	if err := collector.Run(context.Background()); err != nil {
		t.Error(err)
	}
}
