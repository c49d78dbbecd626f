// SPDX-License-Identifier: Apache-2.0

package components

import (
	"errors"
	"maps"
	"slices"

	"github.com/open-telemetry/opentelemetry-collector-contrib/connector/spanmetricsconnector"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/attributesprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/probabilisticsamplerprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/redactionprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/resourceprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/transformprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/filelogreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/fluentforwardreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/statsdreceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/syslogreceiver"
	"github.com/otelplat/platform/collector-components/budgetprocessor"
	"github.com/otelplat/platform/collector-components/catalogprocessor"
	"github.com/otelplat/platform/collector-components/eventexporter"
	"github.com/otelplat/platform/collector-components/eventreceiver"
	"github.com/otelplat/platform/collector-components/policyauthextension"
	"github.com/otelplat/platform/collector-components/policyprocessor"
	"github.com/otelplat/platform/collector-components/routeconnector"
	"github.com/otelplat/platform/collector-components/semconvprocessor"
	"github.com/otelplat/platform/collector-components/signalprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/forwardconnector"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/nopexporter"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

const (
	core    = "go.opentelemetry.io/collector/"
	contrib = "github.com/open-telemetry/opentelemetry-collector-contrib/"
	ours    = "github.com/otelplat/platform/collector-components/"
)

// The components with the packages that they come from, which distribution's
// manifest names too: to add one is a line here and one there.
var (
	receivers = map[string]receiver.Factory{
		core + "receiver/otlpreceiver":             otlpreceiver.NewFactory(),
		contrib + "receiver/filelogreceiver":       filelogreceiver.NewFactory(),
		contrib + "receiver/fluentforwardreceiver": fluentforwardreceiver.NewFactory(),
		contrib + "receiver/hostmetricsreceiver":   hostmetricsreceiver.NewFactory(),
		contrib + "receiver/statsdreceiver":        statsdreceiver.NewFactory(),
		contrib + "receiver/syslogreceiver":        syslogreceiver.NewFactory(),
		ours + "eventreceiver":                     eventreceiver.NewFactory(),
	}
	processors = map[string]processor.Factory{
		core + "processor/batchprocessor":                   batchprocessor.NewFactory(),
		core + "processor/memorylimiterprocessor":           memorylimiterprocessor.NewFactory(),
		contrib + "processor/attributesprocessor":           attributesprocessor.NewFactory(),
		contrib + "processor/filterprocessor":               filterprocessor.NewFactory(),
		contrib + "processor/probabilisticsamplerprocessor": probabilisticsamplerprocessor.NewFactory(),
		contrib + "processor/redactionprocessor":            redactionprocessor.NewFactory(),
		contrib + "processor/resourceprocessor":             resourceprocessor.NewFactory(),
		contrib + "processor/tailsamplingprocessor":         tailsamplingprocessor.NewFactory(),
		contrib + "processor/transformprocessor":            transformprocessor.NewFactory(),
		ours + "budgetprocessor":                            budgetprocessor.NewFactory(),
		ours + "catalogprocessor":                           catalogprocessor.NewFactory(),
		ours + "policyprocessor":                            policyprocessor.NewFactory(),
		ours + "semconvprocessor":                           semconvprocessor.NewFactory(),
		ours + "signalprocessor":                            signalprocessor.NewFactory(),
	}
	exporters = map[string]exporter.Factory{
		core + "exporter/debugexporter":         debugexporter.NewFactory(),
		core + "exporter/nopexporter":           nopexporter.NewFactory(),
		core + "exporter/otlpexporter":          otlpexporter.NewFactory(),
		core + "exporter/otlphttpexporter":      otlphttpexporter.NewFactory(),
		contrib + "exporter/fileexporter":       fileexporter.NewFactory(),
		contrib + "exporter/kafkaexporter":      kafkaexporter.NewFactory(),
		contrib + "exporter/prometheusexporter": prometheusexporter.NewFactory(),
		ours + "eventexporter":                  eventexporter.NewFactory(),
	}
	connectors = map[string]connector.Factory{
		core + "connector/forwardconnector":        forwardconnector.NewFactory(),
		contrib + "connector/spanmetricsconnector": spanmetricsconnector.NewFactory(),
		ours + "routeconnector":                    routeconnector.NewFactory(),
	}
	extensions = map[string]extension.Factory{
		contrib + "extension/healthcheckextension": healthcheckextension.NewFactory(),
		contrib + "extension/storage/filestorage":  filestorage.NewFactory(),
		ours + "policyauthextension":               policyauthextension.NewFactory(),
	}
)

// Factories returns everything that a configuration of this collector can name.
func Factories() (otelcol.Factories, error) {
	f := otelcol.Factories{Telemetry: otelconftelemetry.NewFactory()}
	var errs [5]error
	f.Receivers, f.ReceiverModules, errs[0] = byType(receivers)
	f.Processors, f.ProcessorModules, errs[1] = byType(processors)
	f.Exporters, f.ExporterModules, errs[2] = byType(exporters)
	f.Connectors, f.ConnectorModules, errs[3] = byType(connectors)
	f.Extensions, f.ExtensionModules, errs[4] = byType(extensions)
	return f, errors.Join(errs[:]...)
}

// Packages returns the packages of the components and providers, in order, by the
// kind's name in a builder manifest: receivers, processors, exporters, connectors,
// extensions, providers.
func Packages() map[string][]string {
	return map[string][]string{
		"receivers":  slices.Sorted(maps.Keys(receivers)),
		"processors": slices.Sorted(maps.Keys(processors)),
		"exporters":  slices.Sorted(maps.Keys(exporters)),
		"connectors": slices.Sorted(maps.Keys(connectors)),
		"extensions": slices.Sorted(maps.Keys(extensions)),
		"providers":  slices.Sorted(maps.Values(providerModules)),
	}
}

// aliased is a factory of a component that had another name before.
type aliased interface{ DeprecatedAlias() component.Type }

func byType[F component.Factory](from map[string]F) (map[component.Type]F, map[component.Type]string, error) {
	all := make([]F, 0, len(from))
	modules := make(map[component.Type]string, len(from))
	for name, f := range from {
		all = append(all, f)
		modules[f.Type()] = name
		if a, ok := any(f).(aliased); ok && a.DeprecatedAlias().String() != "" {
			modules[a.DeprecatedAlias()] = name
		}
	}
	factories, err := otelcol.MakeFactoryMap(all...)
	return factories, modules, err
}
