// SPDX-License-Identifier: Apache-2.0

package components

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/collector/component"
)

// Component is a part of this collector.
type Component struct {
	Kind      string            `json:"kind" yaml:"kind"` // receiver, processor, exporter, connector, extension, provider
	Type      string            `json:"type" yaml:"type"` // the name in a configuration; a provider's scheme
	Package   string            `json:"package" yaml:"package"`
	Stability map[string]string `json:"stability,omitempty" yaml:"stability,omitempty"` // by signal
}

// List returns all components and providers, by kind and type.
func List() []Component {
	var list []Component
	add := func(kind, name, from string, levels map[string]component.StabilityLevel) {
		c := Component{Kind: kind, Type: name, Package: from}
		for signal, level := range levels {
			if level != component.StabilityLevelUndefined {
				if c.Stability == nil {
					c.Stability = make(map[string]string)
				}
				c.Stability[signal] = level.String()
			}
		}
		list = append(list, c)
	}
	type levels = map[string]component.StabilityLevel
	for from, f := range receivers {
		add("receiver", f.Type().String(), from, levels{"traces": f.TracesStability(), "metrics": f.MetricsStability(), "logs": f.LogsStability()})
	}
	for from, f := range processors {
		add("processor", f.Type().String(), from, levels{"traces": f.TracesStability(), "metrics": f.MetricsStability(), "logs": f.LogsStability()})
	}
	for from, f := range exporters {
		add("exporter", f.Type().String(), from, levels{"traces": f.TracesStability(), "metrics": f.MetricsStability(), "logs": f.LogsStability()})
	}
	for from, f := range connectors {
		add("connector", f.Type().String(), from, levels{
			"traces_to_traces": f.TracesToTracesStability(), "traces_to_metrics": f.TracesToMetricsStability(), "traces_to_logs": f.TracesToLogsStability(),
			"metrics_to_traces": f.MetricsToTracesStability(), "metrics_to_metrics": f.MetricsToMetricsStability(), "metrics_to_logs": f.MetricsToLogsStability(),
			"logs_to_traces": f.LogsToTracesStability(), "logs_to_metrics": f.LogsToMetricsStability(), "logs_to_logs": f.LogsToLogsStability(),
		})
	}
	for from, f := range extensions {
		add("extension", f.Type().String(), from, levels{"extension": f.Stability()})
	}
	for scheme, from := range providerModules {
		add("provider", scheme, from, nil)
	}
	slices.SortFunc(list, func(a, b Component) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Type, b.Type)) })
	return list
}
