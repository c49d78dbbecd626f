// SPDX-License-Identifier: Apache-2.0

package components

import (
	"context"
	"fmt"

	"github.com/otelplat/platform/collector-components/etcdprovider"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/httpprovider"
	"go.opentelemetry.io/collector/confmap/provider/httpsprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/service/telemetry"
)

// providerModules are the packages of the providers, by scheme.
var providerModules = map[string]string{
	"env":   core + "confmap/provider/envprovider",
	"file":  core + "confmap/provider/fileprovider",
	"http":  core + "confmap/provider/httpprovider",
	"https": core + "confmap/provider/httpsprovider",
	"yaml":  core + "confmap/provider/yamlprovider",
	"etcd":  ours + "etcdprovider",
}

// providers returns those of upstream and the one for etcd.
func providers(etcd confmap.ProviderFactory) []confmap.ProviderFactory {
	return []confmap.ProviderFactory{
		envprovider.NewFactory(), fileprovider.NewFactory(), httpprovider.NewFactory(), httpsprovider.NewFactory(), yamlprovider.NewFactory(), etcd,
	}
}

// Settings returns what otelcol needs, for processes with a loop of their own. The
// collector takes neither SIGINT nor SIGTERM nor gRPC's logger, and tries a document
// from etcd before it reloads. [Run] does more: it survives one that does not start.
func Settings(o Options) otelcol.CollectorSettings { return settings(o, nil) }

func settings(o Options, trial *etcdprovider.Trial) otelcol.CollectorSettings {
	if len(o.URIs) == 0 {
		o.URIs = DefaultURIs()
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	set := otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "otelplat-collector", Description: "otelplat collector", Version: o.Version},
		Factories: func() (otelcol.Factories, error) {
			f, err := Factories()
			if trial != nil {
				f.Telemetry = counting(f.Telemetry, trial)
			}
			return f, err
		},
		ConfigProviderSettings:  otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{URIs: o.URIs, DefaultScheme: "env"}},
		ProviderModules:         providerModules,
		DisableGracefulShutdown: true,
		SkipSettingGRPCLogger:   true,
	}
	etcd := []etcdprovider.Option{etcdprovider.WithValidate(func(ctx context.Context, c etcdprovider.Candidate) error {
		return dryRun(ctx, set, providers(c.Factory()))
	})}
	if trial != nil {
		etcd = append(etcd, etcdprovider.WithTrial(trial))
	}
	set.ConfigProviderSettings.ResolverSettings.ProviderFactories = providers(etcdprovider.NewFactory(etcd...))
	return set
}

// Validate returns why a configuration cannot be used. It makes every component of its
// pipelines and starts none.
func Validate(ctx context.Context, o Options) error {
	set := Settings(o)
	return dryRun(ctx, set, set.ConfigProviderSettings.ResolverSettings.ProviderFactories)
}

// dryRun makes a collector, with the locations of another and providers of its own, and
// throws it away.
func dryRun(ctx context.Context, set otelcol.CollectorSettings, from []confmap.ProviderFactory) error {
	set.Factories = Factories // counts nothing
	set.ConfigProviderSettings.ResolverSettings.ProviderFactories = from
	collector, err := otelcol.NewCollector(set)
	if err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	err = collector.DryRun(ctx)
	// One that was told to shut down runs nothing and ends its providers.
	collector.Shutdown()
	if ended := collector.Run(context.WithoutCancel(ctx)); err == nil {
		err = ended
	}
	return err
}

// counting adds the counts of a trial to the collector's own metrics.
func counting(base telemetry.Factory, trial *etcdprovider.Trial) telemetry.Factory {
	return telemetry.NewFactory(base.CreateDefaultConfig,
		telemetry.WithCreateResource(base.CreateResource),
		telemetry.WithCreateLogger(base.CreateLogger),
		telemetry.WithCreateTracerProvider(base.CreateTracerProvider),
		telemetry.WithCreateMeterProvider(func(ctx context.Context, set telemetry.MeterSettings, cfg component.Config) (telemetry.MeterProvider, error) {
			mp, err := base.CreateMeterProvider(ctx, set, cfg)
			if err != nil {
				return nil, err
			}
			_, err = trial.Observe(mp) // until the meter provider ends, with the service
			return mp, err
		}))
}
