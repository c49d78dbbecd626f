// SPDX-License-Identifier: Apache-2.0

package components

import (
	"embed"
	"io/fs"
	"os"
)

//go:embed default.yaml
var defaultConfig string

//go:embed export.yaml
var exportConfig string

//go:embed bundle/*.rego
var bundle embed.FS

// DefaultConfig returns the default configuration, as YAML with environment
// variables in it. It discards what comes through; see [ExportConfig].
func DefaultConfig() string { return defaultConfig }

// ExportConfig returns what goes over [DefaultConfig] to export to the OTLP gRPC
// endpoint in OTELPLAT_EXPORT.
func ExportConfig() string { return exportConfig }

// DefaultURIs returns the locations of the default configuration, with the export
// when OTELPLAT_EXPORT is set.
func DefaultURIs() []string {
	uris := []string{"yaml:" + defaultConfig}
	if os.Getenv("OTELPLAT_EXPORT") != "" {
		uris = append(uris, "yaml:"+exportConfig)
	}
	return uris
}

// DefaultBundle returns the files of the default bundle "telemetry", the packages
// otelplat.telemetry and otelplat.claims with their tests.
func DefaultBundle() fs.FS {
	sub, err := fs.Sub(bundle, "bundle")
	if err != nil {
		panic("components: " + err.Error()) // the name is a valid one, above
	}
	return sub
}
