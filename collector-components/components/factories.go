// SPDX-License-Identifier: Apache-2.0

package components

import (
	"errors"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"github.com/otelplat/platform/collector-components/eventexporter"
	"github.com/otelplat/platform/collector-components/policyauthextension"
	"github.com/otelplat/platform/collector-components/policyprocessor"
	"github.com/otelplat/platform/collector-components/signalprocessor"
	"go.opentelemetry.io/collector/component"
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
	core = "go.opentelemetry.io/collector/"
	ours = "github.com/otelplat/platform/collector-components/"
)

// The components with the packages that they come from, which distribution's
// manifest names too.
var (
	receivers = map[string]receiver.Factory{
		core + "receiver/otlpreceiver": otlpreceiver.NewFactory(),
	}
	processors = map[string]processor.Factory{
		core + "processor/batchprocessor":         batchprocessor.NewFactory(),
		core + "processor/memorylimiterprocessor": memorylimiterprocessor.NewFactory(),
		ours + "policyprocessor":                  policyprocessor.NewFactory(),
		ours + "signalprocessor":                  signalprocessor.NewFactory(),
	}
	exporters = map[string]exporter.Factory{
		core + "exporter/debugexporter":    debugexporter.NewFactory(),
		core + "exporter/nopexporter":      nopexporter.NewFactory(),
		core + "exporter/otlpexporter":     otlpexporter.NewFactory(),
		core + "exporter/otlphttpexporter": otlphttpexporter.NewFactory(),
		ours + "eventexporter":             eventexporter.NewFactory(),
	}
	extensions = map[string]extension.Factory{
		"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension": healthcheckextension.NewFactory(),
		ours + "policyauthextension": policyauthextension.NewFactory(),
	}
)

// Factories returns everything that a configuration of this collector can name.
func Factories() (otelcol.Factories, error) {
	f := otelcol.Factories{Telemetry: otelconftelemetry.NewFactory()}
	var errs [4]error
	f.Receivers, f.ReceiverModules, errs[0] = byType(receivers)
	f.Processors, f.ProcessorModules, errs[1] = byType(processors)
	f.Exporters, f.ExporterModules, errs[2] = byType(exporters)
	f.Extensions, f.ExtensionModules, errs[3] = byType(extensions)
	return f, errors.Join(errs[:]...)
}

// Packages returns the packages of the components, by the kind's name in a
// builder manifest: receivers, processors, exporters, extensions.
func Packages() map[string][]string {
	return map[string][]string{
		"receivers": names(receivers), "processors": names(processors),
		"exporters": names(exporters), "extensions": names(extensions),
	}
}

func names[F any](from map[string]F) []string {
	list := make([]string, 0, len(from))
	for name := range from {
		list = append(list, name)
	}
	return list
}

func byType[F component.Factory](from map[string]F) (map[component.Type]F, map[component.Type]string, error) {
	all := make([]F, 0, len(from))
	modules := make(map[component.Type]string, len(from))
	for name, f := range from {
		all = append(all, f)
		modules[f.Type()] = name
	}
	factories, err := otelcol.MakeFactoryMap(all...)
	return factories, modules, err
}
