// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

// Type is the component's type in a configuration.
var Type = component.MustNewType("otelplat_policy_auth")

// NewFactory returns the factory of the extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(Type, defaultConfig, create, component.StabilityLevelAlpha)
}

func defaultConfig() component.Config {
	return &Config{Audience: "otelplat"}
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newExtension(set, cfg.(*Config))
}
