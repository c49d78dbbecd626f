// SPDX-License-Identifier: Apache-2.0

package catalogprocessor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/catalogprocessor/internal/metadata"
	"github.com/otelplat/platform/collector-components/catalogprocessor/internal/metadatatest"
	"github.com/otelplat/platform/collector-components/internal/document"
	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
)

const patience = 20 * time.Second

type attributes = map[string]any

const orders = `
services:
  orders:
    owner: ann
    team: checkout
    tier: "1"
    labels: {variant: stable, cost-center: "4711"}
  batch: {team: data}
`

// filed is a configuration whose catalogue is a file.
func filed(t testing.TB, text string) (cfg *Config, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "catalogue.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg = createDefaultConfig().(*Config)
	cfg.Document = &document.Config{File: path}
	return cfg, path
}

func TestAResourceSaysWhatTheCatalogueSaysOfItsService(t *testing.T) {
	for signal, open := range signals {
		t.Run(signal, func(t *testing.T) {
			tel := componenttest.NewTelemetry()
			t.Cleanup(func() { tel.Shutdown(context.Background()) })
			cfg, _ := filed(t, orders)
			cfg.Labels = []string{"cost-center", "absent"}
			through := open(t, tel.NewTelemetrySettings(), cfg)
			for name, test := range map[string]struct{ in, out attributes }{
				"a service": {
					attributes{"service.name": "orders", "host.name": "h"},
					attributes{"service.name": "orders", "host.name": "h", semconv.CatalogKnown: true, semconv.CatalogOwner: "ann", semconv.CatalogTeam: "checkout",
						semconv.CatalogTier: "1", semconv.CatalogLabel + "cost-center": "4711"},
				},
				"one that claims another team": {
					attributes{"service.name": "batch", semconv.CatalogTeam: "checkout", semconv.CatalogTier: "1", semconv.CatalogLabel + "cost-center": "1"},
					attributes{"service.name": "batch", semconv.CatalogKnown: true, semconv.CatalogTeam: "data"},
				},
				"an unknown one that claims a team": {
					attributes{"service.name": "stray", semconv.CatalogKnown: true, semconv.CatalogOwner: "ann", semconv.CatalogTeam: "checkout"},
					attributes{"service.name": "stray", semconv.CatalogKnown: false},
				},
				"one without a name":       {attributes{"host.name": "h"}, attributes{"host.name": "h", semconv.CatalogKnown: false}},
				"one whose name is no one": {attributes{"service.name": int64(5)}, attributes{"service.name": int64(5), semconv.CatalogKnown: false}},
			} {
				if got := through(test.in); !reflect.DeepEqual(got, test.out) {
					t.Errorf("%s came out as %v\nexpected %v", name, got, test.out)
				}
			}
			of := func(outcome string, n int64) metricdata.DataPoint[int64] {
				return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("outcome", outcome), attribute.String(semconv.CollectorSignal, signal))}
			}
			metadatatest.AssertEqualProcessorCatalogResources(t, tel, []metricdata.DataPoint[int64]{of("known", 2), of("unknown", 1), of("unnamed", 2)}, metricdatatest.IgnoreTimestamp())
			if _, err := tel.GetMetric("otelcol_processor_catalog_age"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheCatalogueChangesWhileTelemetryFlows(t *testing.T) {
	cfg, path := filed(t, orders)
	through := tracesThrough(t, componenttest.NewNopTelemetrySettings(), cfg)
	team := func() any { return through(attributes{"service.name": "orders"})[semconv.CatalogTeam] }
	if got := team(); got != "checkout" {
		t.Fatalf("the team is %v", got)
	}
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("services: {orders: {team: payments}}")
	coordtest.Eventually(t, patience, func() bool { return team() == "payments" }, "the new team")
	write("services: {orders: {colour: red}}")
	write("services: {orders: {team: " + strings.Repeat("a", 300) + "}}")
	write("services: {orders: {team: fulfilment}}")
	coordtest.Eventually(t, patience, func() bool {
		got := team()
		if got != "payments" && got != "fulfilment" {
			t.Fatalf("a bad document is in force: the team is %v", got)
		}
		return got == "fulfilment"
	}, "the next good one")
}

// registered announces instances in a real etcd.
type registered struct {
	t       *testing.T
	server  *coordtest.Server
	client  *coord.Client
	config  etcdconfig.Config
	service discovery.Registry
}

func registry(t *testing.T) *registered {
	server := coordtest.Etcd(t)
	client := coordtest.Client(t, server, coord.WithNamespace("test"))
	return &registered{t, server, client, etcdconfig.Config{Endpoints: []string{server.Endpoint()}, Namespace: "test"}, discovery.Etcd(client)}
}

func (r *registered) announce(id, version, zone, variant string) discovery.Registration {
	r.t.Helper()
	reg, err := r.service.Register(r.t.Context(), discovery.Instance{
		Service: "orders", ID: id, Version: version, Zone: zone, Labels: map[string]string{"variant": variant},
		Endpoints: []discovery.Endpoint{{Protocol: discovery.HTTP, Address: "127.0.0.1:80"}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	<-reg.Registered()
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second) // etcd may be gone
		defer cancel()
		reg.Close(ctx)
	})
	return reg
}

func TestInstancesComeAndGoInARealRegistryWhileTelemetryFlows(t *testing.T) {
	r := registry(t)
	cfg, _ := filed(t, orders)
	cfg.Discovery = &DiscoveryConfig{Etcd: r.config}
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { tel.Shutdown(context.Background()) })
	through := logsThrough(t, tel.NewTelemetrySettings(), cfg)
	out := func(id string, more ...string) string {
		in := attributes{"service.name": "orders"}
		if id != "" {
			in["service.instance.id"] = id
		}
		for i := 0; i < len(more); i += 2 {
			in[more[i]] = more[i+1]
		}
		got := through(in)
		return fmt.Sprint(got["service.version"], " ", got["cloud.availability_zone"], " ", got[semconv.CatalogLabel+"variant"], " ", got[semconv.CatalogTeam])
	}
	eventually := func(want, id string, more ...string) {
		t.Helper()
		last := ""
		coordtest.Eventually(t, patience, func() bool { last = out(id, more...); return last == want }, "%q of %s", want, id)
	}
	eventually("<nil> <nil> stable checkout", "orders-1") // nobody registered yet: what the document says
	first := r.announce("orders-1", "1.0", "a", "stable")
	eventually("1.0 a stable checkout", "orders-1")
	eventually("1.0 a stable checkout", "")
	r.announce("orders-2", "2.0", "a", "canary")
	eventually("2.0 a canary checkout", "orders-2")
	eventually("<nil> a stable checkout", "") // two versions: it could be either
	if got := out("orders-2", "service.version", "3.0"); got != "3.0 a canary checkout" {
		t.Errorf("%q, expected the sender's own version", got)
	}
	if err := first.Update(func(in *discovery.Instance) { in.Labels = map[string]string{"variant": "blue"} }); err != nil {
		t.Fatal(err)
	}
	eventually("1.0 a blue checkout", "orders-1")
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually("<nil> <nil> stable checkout", "orders-1")
	eventually("2.0 a stable checkout", "")
	if _, err := tel.GetMetric("otelcol_processor_catalog_instance_misses"); err != nil {
		t.Error("resources of an instance that is not registered are not counted")
	}
	r.server.Stop()
	if got := out("orders-2"); got != "2.0 a canary checkout" {
		t.Errorf("%q after etcd went away, expected what was known", got)
	}
}

func TestOverrideReplacesWhatTheSenderSays(t *testing.T) {
	r := registry(t)
	r.announce("orders-1", "1.0", "a", "stable")
	cfg := createDefaultConfig().(*Config)
	cfg.Discovery, cfg.Override = &DiscoveryConfig{Etcd: r.config}, true
	through := metricsThrough(t, componenttest.NewNopTelemetrySettings(), cfg)
	want := attributes{"service.name": "orders", "service.instance.id": "orders-1", "service.version": "1.0", "cloud.availability_zone": "a",
		semconv.CatalogKnown: true, semconv.CatalogLabel + "variant": "stable"}
	coordtest.Eventually(t, patience, func() bool {
		return reflect.DeepEqual(through(attributes{"service.name": "orders", "service.instance.id": "orders-1", "service.version": "9", "cloud.availability_zone": "z"}), want)
	}, "the version and zone of discovery, and who registered to be known")
}

func TestADocumentInEtcdComesByTheConnectionOfTheRegistry(t *testing.T) {
	r := registry(t)
	r.announce("orders-1", "1.0", "a", "stable")
	cfg := createDefaultConfig().(*Config)
	cfg.Document = &document.Config{Name: "catalogue", Etcd: &r.config}
	cfg.Discovery = &DiscoveryConfig{Etcd: r.config}
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { tel.Shutdown(context.Background()) })
	through := tracesThrough(t, tel.NewTelemetrySettings(), cfg)
	in := attributes{"service.name": "orders", "service.instance.id": "orders-1"}
	// There is no document: who is known is not known, and nobody may say it.
	coordtest.Eventually(t, patience, func() bool {
		got := through(attributes{"service.name": "orders", "service.instance.id": "orders-1", semconv.CatalogTeam: "checkout", semconv.CatalogKnown: true})
		_, marked := got[semconv.CatalogKnown]
		_, claimed := got[semconv.CatalogTeam]
		if marked || claimed {
			t.Fatalf("without a document it is %v", got)
		}
		return got["service.version"] == "1.0"
	}, "the version")
	if m, err := tel.GetMetric("otelcol_processor_catalog_resources"); err != nil || !strings.Contains(fmt.Sprint(m.Data), "not_loaded") {
		t.Errorf("%v, %v: not counted", m, err)
	}
	store := versioned.New(r.client, versioned.Config)
	if _, err := store.Put(t.Context(), "catalogue", []byte(orders), versioned.PutOptions{Expect: versioned.Any}); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool { return through(in)[semconv.CatalogTeam] == "checkout" }, "the document")
	if err := store.Delete(t.Context(), "catalogue", versioned.Any); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool {
		_, marked := through(in)[semconv.CatalogKnown]
		return !marked
	}, "nobody to be marked once the document is gone")
}

func TestAnUnknownServiceIsToldOfOnceForEachCatalogue(t *testing.T) {
	events := coordtest.Events(t)
	cfg, path := filed(t, orders)
	through := tracesThrough(t, componenttest.NewNopTelemetrySettings(), cfg)
	for range 3 {
		through(attributes{"service.name": "stray"})
		through(attributes{"service.name": "orders"})
	}
	long := strings.Repeat("é", 200)
	through(attributes{"service.name": long})
	if n := events.Count(semconv.EventCatalogUnknown, "stray"); n != 1 {
		t.Errorf("%d events of stray, expected one", n)
	}
	if n := events.Count(semconv.EventCatalogUnknown, "orders"); n != 0 {
		t.Errorf("%d events of a service that is known", n)
	}
	if n := events.Count(semconv.EventCatalogUnknown, strings.Repeat("é", 128)); n != 1 {
		t.Errorf("%d events of a long name that was cut", n)
	}
	if err := os.WriteFile(path, []byte("services: {orders: {}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, patience, func() bool {
		through(attributes{"service.name": "stray"})
		return events.Count(semconv.EventCatalogUnknown, "stray") == 2
	}, "an event of the new catalogue")
}

func TestAFloodOfUnknownServicesIsAFewEventsAndACounter(t *testing.T) {
	events := coordtest.Events(t)
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { tel.Shutdown(context.Background()) })
	cfg, _ := filed(t, orders)
	through := tracesThrough(t, tel.NewTelemetrySettings(), cfg)
	const flood = 500
	for i := range flood {
		through(attributes{"service.name": fmt.Sprint("stray-", i)})
	}
	told := 0
	for i := range flood {
		told += events.Count(semconv.EventCatalogUnknown, fmt.Sprint("stray-", i))
	}
	m, err := tel.GetMetric("otelcol_processor_catalog_suppressed")
	if err != nil {
		t.Fatal(err)
	}
	suppressed := m.Data.(metricdata.Sum[int64]).DataPoints[0].Value
	if told < eventBurst || told > flood/2 || int64(told)+suppressed != flood {
		t.Errorf("%d events and %d suppressed of %d", told, suppressed, flood)
	}
}

func TestThreeInstancesShareOneCatalogueAndGiveItBack(t *testing.T) {
	cfg, _ := filed(t, orders)
	set := settings(componenttest.NewNopTelemetrySettings())
	var all []component.Component
	for range 2 {
		traces, err := NewFactory().CreateTraces(t.Context(), set, cfg, consumertest.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		logs, err := NewFactory().CreateLogs(t.Context(), set, cfg, consumertest.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, traces, logs)
	}
	for _, c := range all {
		if err := c.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
	}
	if n := catalogues.Len(); n != 1 {
		t.Errorf("%d catalogues, expected one for all", n)
	}
	for _, c := range all {
		if err := c.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := catalogues.Len(); n != 0 {
		t.Errorf("%d catalogues are left", n)
	}
}

func TestManyPipelinesReadWhileTheCatalogueChanges(t *testing.T) {
	cfg, path := filed(t, orders)
	traces := tracesThrough(t, componenttest.NewNopTelemetrySettings(), cfg)
	logs := logsThrough(t, componenttest.NewNopTelemetrySettings(), cfg)
	key, err := cfg.key(metadata.Type.String())
	if err != nil {
		t.Fatal(err)
	}
	shared, giveBack, err := catalogues.Take(key, func() (*catalogue, error) { return nil, errors.New("it is not shared") })
	if err != nil {
		t.Fatal(err)
	}
	defer giveBack()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, through := range []enrich{traces, logs} {
		wg.Go(func() {
			for ctx.Err() == nil {
				got := through(attributes{"service.name": "orders"})
				if team, tier := got[semconv.CatalogTeam], got[semconv.CatalogTier]; team != tier && team != "checkout" {
					t.Errorf("team %v and tier %v are of two documents", team, tier)
					return
				}
				through(attributes{"service.name": "stray"})
			}
		})
	}
	for i := range 3 {
		text := fmt.Sprintf("services: {orders: {team: t%d, tier: t%d}}", i, i)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		coordtest.Eventually(t, patience, func() bool {
			s, _ := shared.current.Load().Find("orders", "")
			return s.Team == fmt.Sprint("t", i)
		}, "document %d", i)
	}
	cancel()
	wg.Wait()
}

func TestWhatWasAcceptedIsPassedOnBeforeShutdown(t *testing.T) {
	cfg, _ := filed(t, orders)
	processortest.VerifyShutdown(t, NewFactory(), cfg)
}

func TestABadCatalogueKeepsTheCollectorFromStarting(t *testing.T) {
	cfg, _ := filed(t, "services: [orders]")
	p, err := NewFactory().CreateTraces(t.Context(), settings(componenttest.NewNopTelemetrySettings()), cfg, consumertest.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), componenttest.NewNopHost()); err == nil {
		t.Error("it starts")
	}
	if err := p.Shutdown(t.Context()); err != nil || catalogues.Len() != 0 {
		t.Errorf("%v; %d catalogues are left", err, catalogues.Len())
	}
}

func TestConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		text    map[string]any
		message string
	}{
		"a document":             {map[string]any{"document": map[string]any{"file": "f"}}, ""},
		"discovery":              {map[string]any{"discovery": map[string]any{"etcd": map[string]any{}}}, ""},
		"neither":                {map[string]any{}, "one of document and discovery"},
		"a document of nowhere":  {map[string]any{"document": map[string]any{"name": "n"}}, "name needs etcd"},
		"an endpoint that is no": {map[string]any{"discovery": map[string]any{"etcd": map[string]any{"endpoints": []string{"x"}}}}, "endpoint"},
		"too many labels":        {map[string]any{"document": map[string]any{"file": "f"}, "labels": strings.Split(strings.Repeat("a,", 16)+"a", ",")}, "more than 16"},
		"a label without a name": {map[string]any{"document": map[string]any{"file": "f"}, "labels": []string{""}}, "labels"},
	} {
		cfg := createDefaultConfig().(*Config)
		if err := confmap.NewFromStringMap(test.text).Unmarshal(cfg); err != nil {
			t.Fatal(err)
		}
		err := confmap.Validate(cfg)
		if (err == nil) != (test.message == "") || err != nil && !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: error is %v, expected one of %q", name, err, test.message)
		}
	}
}

func TestTwoPasswordsAreTwoConnections(t *testing.T) {
	of := func(one, other string) string {
		cfg := &Config{
			Document:  &document.Config{Name: "n", Etcd: &etcdconfig.Config{User: "u", Password: configopaque.String(one)}},
			Discovery: &DiscoveryConfig{Etcd: etcdconfig.Config{User: "u", Password: configopaque.String(other)}},
		}
		key, err := cfg.key("id")
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	one, again, document, registry := of("a", "b"), of("a", "b"), of("b", "b"), of("a", "c")
	if one != again || one == document || one == registry {
		t.Error("a connection is shared by two users, or not by one")
	}
}
