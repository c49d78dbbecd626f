// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/cmd/otelplat/internal/ports"
	"github.com/otelplat/platform/cmd/otelplat/internal/supervise"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

// The stages in which children stop, the greatest first.
const (
	stageEtcd = iota
	stageNATS
	stageCollector
	stageShop
	stageLoad
)

// startTimeout bounds the start of one child.
const startTimeout = 60 * time.Second

// Instances of the demo, in the order of their start. One is of a newer version, so that a
// route can be split.
var shop = []struct{ Service, Instance, Version string }{
	{"inventory", "inventory-1", "1.0.0"}, {"inventory", "inventory-2", "1.0.0"}, {"inventory", "inventory-3", "1.1.0"},
	{"orders", "orders-1", "1.0.0"}, {"storefront", "storefront-1", "1.0.0"},
}

// Customers of the demo.
var customers = []string{"alice", "bob"}

// principals are those that get tokens.
func principals(demo bool) []devissuer.Claims {
	list := []devissuer.Claims{{Kind: "service", Subject: "otelplat"}}
	if !demo {
		return list
	}
	for _, name := range []string{"storefront", "orders", "inventory", "load"} {
		list = append(list, devissuer.Claims{Kind: "service", Subject: name})
	}
	for _, name := range customers {
		list = append(list, devissuer.Claims{Kind: "user", Subject: name})
	}
	return list
}

// specs describes the children.
type specs struct {
	dir    *datadir.Dir
	plan   *ports.Plan
	opts   Options
	client *coord.Client
}

func (s *specs) etcdURL() string { return "http://" + s.plan.Address(ports.Etcd) }

func (s *specs) natsURL() string { return "nats://" + s.plan.Address(ports.NATS) }

func (s *specs) eventsURL() string { return "http://" + s.plan.Address(ports.Events) }

// base is the environment of every child: a child inherits none but what programs
// need to run at all.
func (s *specs) base() []string {
	env := []string{"OTELPLAT_ETCD_ENDPOINTS=" + s.etcdURL(), "OTELPLAT_NATS_URL=" + s.natsURL(), "OTELPLAT_NAMESPACE=" + Namespace}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "LANG", "GOMAXPROCS", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (s *specs) etcd() supervise.Spec {
	return supervise.Spec{
		Name: "etcd", Stage: stageEtcd, Env: append(s.base(), "GOGC=50"),
		Args: []string{
			"internal", "etcd", "--dir", s.dir.Path("etcd"),
			"--port", strconv.Itoa(s.plan.Number(ports.Etcd)), "--peer-port", strconv.Itoa(s.plan.Number(ports.EtcdPeer)),
		},
		Ready: s.client.Ready,
	}
}

func (s *specs) nats() supervise.Spec {
	return supervise.Spec{
		Name: "nats", Stage: stageNATS, Env: append(s.base(), "GOGC=50", "GOMEMLIMIT=200MiB"),
		Args:  []string{"internal", "nats", "--dir", s.dir.Path("nats"), "--port", strconv.Itoa(s.plan.Number(ports.NATS))},
		Ready: s.jetStream,
	}
}

// jetStream returns nil when NATS takes events.
func (s *specs) jetStream(ctx context.Context) error {
	conn, err := nats.Connect(s.natsURL(), nats.Timeout(time.Second), nats.NoReconnect())
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	_, err = js.AccountInfo(ctx)
	return err
}

func (s *specs) collector() supervise.Spec {
	env := append(s.base(),
		"OTELPLAT_COLLECTOR_ID=up",
		"OTELPLAT_OTLP_GRPC="+s.plan.Address(ports.OTLPGRPC),
		"OTELPLAT_OTLP_HTTP="+s.plan.Address(ports.OTLPHTTP),
		"OTELPLAT_EVENTS_GRPC="+s.plan.Address(ports.Events),
		"OTELPLAT_HEALTH="+s.plan.Address(ports.Health),
		"OTELPLAT_METRICS_PORT="+strconv.Itoa(s.plan.Number(ports.Metrics)),
		"OTELPLAT_JWKS_FILE="+s.dir.JWKS(),
		"OTELPLAT_POLICY_KEYS="+s.dir.PolicyPublic(),
		"OTELPLAT_EJECTION_BASE="+s.opts.EjectionBase.String(),
		"GOGC=50", "GOMEMLIMIT=300MiB",
	)
	if s.opts.Export != "" {
		env = append(env, "OTELPLAT_EXPORT="+s.opts.Export)
	}
	health := "http://" + s.plan.Address(ports.Health)
	return supervise.Spec{
		Name: "collector", Stage: stageCollector, Args: []string{"internal", "collector"}, Env: env,
		Ready: func(ctx context.Context) error { return get(ctx, health) },
	}
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // not read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// service is one instance of the shop.
func (s *specs) service(service, instance, version string) supervise.Spec {
	env := append(s.base(), telemetryEnv("http://"+s.plan.Address(ports.OTLPGRPC))...)
	env = append(env,
		"OTELPLAT_TOKEN_FILE="+s.dir.TokenPath(service), "OTELPLAT_EVENTS_ENDPOINT="+s.eventsURL(),
		"SHOP_JWKS_FILE="+s.dir.JWKS(), "SHOP_POLICY_KEYS="+s.dir.PolicyPublic(),
		"SHOP_EJECTION_BASE="+s.opts.EjectionBase.String(), "SHOP_DATA_DIR="+s.dir.Path("shop"), "SHOP_VERSION="+version,
	)
	if service == "storefront" {
		env = append(env, "SHOP_LISTEN="+s.plan.Address(ports.Storefront))
	}
	return supervise.Spec{
		Name: instance, Stage: stageShop, Env: env, Args: []string{"internal", "shop", service, instance},
		Ready: func(ctx context.Context) error { return s.announced(ctx, service, instance) },
	}
}

func telemetryEnv(endpoint string) []string {
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
		"OTEL_METRIC_EXPORT_INTERVAL=5000", "OTEL_BSP_SCHEDULE_DELAY=1000", "OTEL_BLRP_SCHEDULE_DELAY=1000",
	}
}

// announced returns nil when an instance is in discovery and takes connections at
// the address that it announces: what a killed predecessor left does not.
func (s *specs) announced(ctx context.Context, service, instance string) error {
	resp, err := s.client.Etcd().Get(ctx, s.client.Key("discovery", service, instance))
	if err != nil {
		return err
	}
	if len(resp.Kvs) == 0 {
		return errors.New("not announced")
	}
	var value struct {
		Endpoints []struct{ Address string }
	}
	if err := json.Unmarshal(resp.Kvs[0].Value, &value); err != nil || len(value.Endpoints) == 0 {
		return errors.New("not announced with an address")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", value.Endpoints[0].Address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// load is the demo's customers. Their traces begin at the storefront, as those of
// customers do: a trace of their own that is not sampled would be passed on, and
// nothing behind it would be sampled either.
func (s *specs) load() supervise.Spec {
	env := append(s.base(), telemetryEnv("http://"+s.plan.Address(ports.OTLPGRPC))...)
	return supervise.Spec{
		Name: "load", Stage: stageLoad,
		Env: append(env, "OTELPLAT_TOKEN_FILE="+s.dir.TokenPath("load"), "OTEL_TRACES_EXPORTER=none", "OTEL_PROPAGATORS=none"),
		Args: []string{
			"internal", "load", "--data-dir", s.dir.Path(), "--rate", strconv.Itoa(s.opts.Rate),
			"--customers", strings.Join(customers, ","), "--ejection-base", s.opts.EjectionBase.String(),
		},
	}
}
