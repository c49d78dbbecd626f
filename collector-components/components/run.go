// SPDX-License-Identifier: Apache-2.0

package components

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/otelcol"
)

// Options configure [Run].
type Options struct {
	// URIs are the locations of the configuration, "file:/path" or "yaml:text",
	// later ones over earlier ones; [DefaultURIs] when there are none.
	URIs []string

	// Version is what the collector says it is; "dev" when empty.
	Version string
}

// Run runs a collector until the context ends, and returns when it has shut down.
// It does not listen to signals, but for SIGHUP, with which it reads its
// configuration again. One that cannot be used is the error.
func Run(ctx context.Context, o Options) error {
	set := Settings(o)
	set.DisableGracefulShutdown = true
	set.SkipSettingGRPCLogger = true // the process may have other uses of gRPC
	collector, err := otelcol.NewCollector(set)
	if err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	if err := collector.Run(ctx); err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	return nil
}

// Settings returns what otelcol needs, for mains with a command line of their own.
func Settings(o Options) otelcol.CollectorSettings {
	if len(o.URIs) == 0 {
		o.URIs = DefaultURIs()
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	return otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "otelplat-collector", Description: "otelplat collector", Version: o.Version},
		Factories: Factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs:              o.URIs,
			ProviderFactories: []confmap.ProviderFactory{envprovider.NewFactory(), fileprovider.NewFactory(), yamlprovider.NewFactory()},
		}},
		ProviderModules: map[string]string{
			"env":  core + "confmap/provider/envprovider",
			"file": core + "confmap/provider/fileprovider",
			"yaml": core + "confmap/provider/yamlprovider",
		},
	}
}
