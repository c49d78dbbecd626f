// SPDX-License-Identifier: Apache-2.0

package components_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/otelplat/platform/collector-components/components"
	"github.com/otelplat/platform/configsrc"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

// manifest is what the test reads of distribution/manifest.yaml.
type manifest struct {
	Receivers, Processors, Exporters, Extensions, Connectors, Providers []module
}

type module struct {
	GoMod  string `yaml:"gomod"`
	Import string `yaml:"import"`
}

// What the builder makes from the manifest is what Run runs.
func TestTheManifestListsTheComponentsAtTheVersionsOfTheModule(t *testing.T) {
	text, err := os.ReadFile("../distribution/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	requirements, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	packages := components.Packages()
	for scheme, module := range components.Settings(components.Options{}).ProviderModules {
		if !strings.HasSuffix(module, "/"+scheme+"provider") {
			t.Errorf("provider %s is said to come from %s", scheme, module)
		}
	}
	for kind, listed := range map[string][]module{
		"receivers": m.Receivers, "processors": m.Processors, "exporters": m.Exporters,
		"extensions": m.Extensions, "connectors": m.Connectors, "providers": m.Providers,
	} {
		var names []string
		for _, l := range listed {
			path, _, _ := strings.Cut(l.GoMod, " ")
			if l.Import != "" {
				path = l.Import
			} else if !strings.Contains(string(requirements), "\t"+l.GoMod+"\n") {
				t.Errorf("%s: %s is not the version that go.mod requires", kind, l.GoMod)
			}
			names = append(names, path)
		}
		slices.Sort(names)
		if !slices.Equal(names, packages[kind]) {
			t.Errorf("%s in the manifest are\n%s\nexpected those of package components,\n%s",
				kind, strings.Join(names, "\n"), strings.Join(packages[kind], "\n"))
		}
	}
}

func TestEveryComponentOfTheDefaultConfigurationIsListed(t *testing.T) {
	factories, err := components.Factories()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for kind, types := range map[string][]string{
		"receivers": keys(factories.Receivers), "processors": keys(factories.Processors),
		"exporters": keys(factories.Exporters), "extensions": keys(factories.Extensions), "connectors": keys(factories.Connectors),
	} {
		for _, name := range types {
			have[kind+"/"+name] = true
		}
	}
	for _, config := range []string{components.DefaultConfig(), components.ExportConfig()} {
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		conf, err := retrieved.AsConf()
		if err != nil {
			t.Fatal(err)
		}
		for kind, section := range conf.ToStringMap() {
			list, ok := section.(map[string]any)
			if !ok || kind == "service" {
				continue
			}
			for id := range list {
				name, _, _ := strings.Cut(id, "/")
				if !have[kind+"/"+name] {
					t.Errorf("%s %s is in a default configuration and not in Factories", kind, id)
				}
			}
		}
	}
}

func TestAConfigurationCanBeWrittenWithOtelplatConfigPut(t *testing.T) {
	for _, config := range []string{components.DefaultConfig(), components.ExportConfig()} {
		if err := configsrc.Check([]byte(config)); err != nil {
			t.Error(err)
		}
	}
}

func keys[K interface {
	comparable
	String() string
}, V any](m map[K]V) []string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k.String())
	}
	return names
}
