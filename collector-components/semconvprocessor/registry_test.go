// SPDX-License-Identifier: Apache-2.0

package semconvprocessor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/metadata"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/processor/processortest"
)

const (
	knowsShop = "attributes: [{key: shop.x, type: int, stability: stable}]"
	deniesAll = "extends: none"
	badOne    = "attributes: [{key: shop.x, type: nonsense}]"
)

// missing reports whether shop.x is found to be missing in the registry.
func (p *pipelines) missing(t *testing.T) bool {
	t.Helper()
	const what = "missing_attribute violation traces shop"
	before := p.count(t, semconv.CollectorSemconvFindings)[what]
	if err := p.traces.ConsumeTraces(t.Context(), span("shop", map[string]any{"shop.x": 1})); err != nil {
		t.Fatal(err)
	}
	return p.count(t, semconv.CollectorSemconvFindings)[what] > before
}

// eventually tries until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(20 * time.Second); !so(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("still not: %s", what)
		}
	}
}

func TestANewRegistryIsInForceAtOnceAndABadOneChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.yaml")
	etcd := coordtest.Etcd(t)
	client := coordtest.Client(t, etcd, coord.WithNamespace("test"))
	write := map[string]func(string){
		"file": func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"etcd": func(text string) {
			if _, err := versioned.New(client, versioned.Config).Put(t.Context(), "registry", []byte(text), versioned.PutOptions{Expect: versioned.Any}); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, c := range map[string]*document.Config{
		"file": {File: path},
		"etcd": {Name: "registry", Etcd: &etcdconfig.Config{Endpoints: []string{etcd.Endpoint()}, Namespace: "test"}},
	} {
		t.Run(name, func(t *testing.T) {
			write[name](knowsShop)
			cfg := config(func(cfg *Config) { cfg.Registry = c })
			p := open(t, cfg)
			eventually(t, "the registry's attribute is known", func() bool { return !p.missing(t) })
			write[name](deniesAll)
			eventually(t, "the attribute is not known to the next registry", func() bool { return p.missing(t) })
			s := stateOf(t, cfg)
			write[name](badOne)
			eventually(t, "a bad registry is refused", func() bool { return s.live.Err() != nil })
			if !p.missing(t) {
				t.Error("a bad registry is in force")
			}
			write[name](knowsShop)
			eventually(t, "the next good one is in force", func() bool { return !p.missing(t) && s.live.Err() == nil })
		})
	}
}

// stateOf returns what the instances of a configuration share.
func stateOf(t *testing.T, cfg *Config) *state {
	t.Helper()
	key, err := cfg.key(processortest.NewNopSettings(metadata.Type).ID)
	if err != nil {
		t.Fatal(err)
	}
	s, giveBack, err := states.Take(key, func() (*state, error) { return nil, errors.New("nobody has it") })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { giveBack() })
	return s
}

func TestABadRegistryInAFileKeepsTheCollectorFromStarting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.yaml")
	if err := os.WriteFile(path, []byte(badOne), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), config(func(c *Config) { c.Registry = &document.Config{File: path} }), "traces")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.start(t.Context(), componenttest.NewNopHost()); err == nil || !strings.Contains(err.Error(), "shop.x") {
		t.Errorf("error is %v, expected one that names the attribute", err)
	}
	if err := p.shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWithoutEtcdTheEmbeddedRegistryIsInForce(t *testing.T) {
	p := open(t, config(func(c *Config) {
		c.Registry = &document.Config{Name: "registry", Etcd: &etcdconfig.Config{Endpoints: []string{"http://127.0.0.1:1"}}}
	}))
	p.traces.ConsumeTraces(t.Context(), span("shop", map[string]any{"http.method": "GET"}))
	if n := p.count(t, semconv.CollectorSemconvFindings)["deprecated violation traces shop"]; n != 1 {
		t.Errorf("%d deprecated, expected one", n)
	}
}

func TestTheExampleOfACompanyReadsAndIsTheReadmes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "acme.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), string(text)) {
		t.Error("README.md does not have the text of testdata/acme.yaml")
	}
	p := open(t, config(func(c *Config) {
		c.Registry = &document.Config{File: filepath.Join("testdata", "acme.yaml")}
		c.Enforce = map[string]string{"deprecated": "rename", "required_attribute_not_present": "annotate"}
	}))
	p.traces.ConsumeTraces(t.Context(), span("shop", map[string]any{"orderId": "7", "acme.order.channel": "fax"}))
	got := p.sink.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().AsRaw()
	if got["acme.order.id"] != "7" {
		t.Errorf("attributes are %v, expected orderId to be acme.order.id", got)
	}
	if n := p.count(t, semconv.CollectorSemconvFindings)["undefined_enum_variant violation traces shop"]; n != 1 {
		t.Errorf("%d channels that are none are violations, expected one", n)
	}
}
