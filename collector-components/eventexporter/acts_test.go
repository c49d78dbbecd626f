// SPDX-License-Identifier: Apache-2.0

package eventexporter_test

import (
	"os"
	"slices"
	"testing"

	"github.com/otelplat/platform/collector-components/eventexporter"
	"github.com/otelplat/platform/coord/router/acts"
	"go.opentelemetry.io/collector/confmap"
)

// Any service may tell of acts: they are not where they could push out other events, and
// nothing but acts is with them.
func TestOurConfigurationsCopyActsToAStreamOfTheirOwn(t *testing.T) {
	for _, file := range []string{"../components/default.yaml", "../distribution/hardened.yaml"} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			retrieved, err := confmap.NewRetrievedFromYAML(text)
			if err != nil {
				t.Fatal(err)
			}
			conf, err := retrieved.AsConf()
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Exporters map[string]map[string]any `mapstructure:"exporters"`
			}
			if err := conf.Unmarshal(&got, confmap.WithIgnoreUnused()); err != nil {
				t.Fatal(err)
			}
			config := eventexporter.NewFactory().CreateDefaultConfig().(*eventexporter.Config)
			if err := confmap.NewFromStringMap(got.Exporters["otelplat_events/acts"]).Unmarshal(config); err != nil {
				t.Fatal(err)
			}
			if !config.BestEffort || !slices.Equal(config.Types, acts.Events()) {
				t.Errorf("copied are %v, best effort: %v; want %v", config.Types, config.BestEffort, acts.Events())
			}
			if config.MaxBytes > 64<<20 || config.MaxData > 4<<10 {
				t.Errorf("the stream is of %d bytes, and of %d bytes of data each", config.MaxBytes, config.MaxData)
			}
			for name, other := range got.Exporters {
				if name != "otelplat_events/acts" && other["namespace"] == config.Namespace {
					t.Errorf("the namespace %s is that of %s too", config.Namespace, name)
				}
			}
		})
	}
}
