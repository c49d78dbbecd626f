// SPDX-License-Identifier: Apache-2.0

// Package kit is what every service of the shop begins with: its telemetry, its
// place in the fleet, its configuration, who may call it, and the router through
// which it calls others. A service of yours would have the same lines in its main.
package kit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/otelplat/platform/configsrc"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat"
	"github.com/otelplat/platform/otelplat/health"
	"github.com/otelplat/platform/otelplat/metrics"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/revoked"
	"github.com/otelplat/platform/policy/guard"
)

// Variables that the shop's services read beside OTEL_*, OTELPLAT_ETCD_*,
// OTELPLAT_NATS_* and OTELPLAT_EVENTS_ENDPOINT.
const (
	KeysVariable     = "SHOP_JWKS_FILE"   // public keys that tokens are verified with
	PolicyVariable   = "SHOP_POLICY_KEYS" // public keys that bundles are signed with, separated by colons
	TokenVariable    = "OTELPLAT_TOKEN_FILE"
	ListenVariable   = "SHOP_LISTEN"        // host:port; any port of loopback without it
	OperateVariable  = "SHOP_OPERATE"       // host:port for checks and metrics; any port of loopback without it
	EjectionVariable = "SHOP_EJECTION_BASE" // a duration; the router's default without it
	DataVariable     = "SHOP_DATA_DIR"      // folder of the databases; in memory without it
	ZoneVariable     = "SHOP_ZONE"          // where it runs: instances there are preferred
	VersionVariable  = "SHOP_VERSION"       // by which routing documents may tell instances apart
)

// Kit is one running service.
type Kit struct {
	Telemetry *otelplat.Telemetry
	Router    *router.Router
	Guard     *guard.Guard
	Behaviour *configsrc.Live[Behaviour]
	Checks    *health.Checks
	Metrics   *metrics.Set
	Own       *guard.Credentials // the service's own token

	engine            *policy.Engine
	revoked           *revoked.List
	scrape            *metrics.Scrape
	service, instance string
	client            *coord.Client
	closers           []func() error
}

// Open starts the service's telemetry and connects it to the fleet. It waits for
// nothing. Guard asks the policy package shop.<service>.
func Open(ctx context.Context, service, instance string, public ...string) (k *Kit, err error) {
	k = &Kit{service: service, instance: instance, Metrics: metrics.NewSet()}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.Close())
		}
	}()
	if k.scrape, err = metrics.NewScrape(k.Metrics); err != nil {
		return k, err
	}
	if k.Telemetry, err = otelplat.Start(ctx, otelplat.WithServiceName(service), otelplat.WithInstanceID(instance),
		otelplat.WithMetricProducer(k.Metrics), otelplat.WithMetricReader(k.scrape.Reader())); err != nil {
		return k, err
	}
	if k.client, err = coord.Open(); err != nil {
		return k, err
	}
	k.onClose(k.client.Close)
	if k.Behaviour, err = configsrc.Open(ctx, Behaviour{}, configsrc.Document(k.client, "shop."+instance)); err != nil {
		return k, err
	}
	k.onClose(k.Behaviour.Close)
	if err = k.openGuard(ctx, public); err != nil {
		return k, err
	}
	if err = k.openChecks(); err != nil {
		return k, err
	}
	return k, k.openRouter(ctx)
}

// openGuard follows the bundle "shop" in etcd and verifies tokens with local keys.
func (k *Kit) openGuard(ctx context.Context, public []string) error {
	keys, err := policy.LoadKeyRing(filepath.SplitList(os.Getenv(PolicyVariable))...)
	if err != nil {
		return err
	}
	source, err := policy.Etcd(k.client, "shop", keys)
	if err != nil {
		return err
	}
	if k.engine, err = policy.Open(ctx, source, policy.WithEntrypoints("shop."+k.service)); err != nil {
		return err
	}
	k.onClose(k.engine.Close)
	verifier, err := authn.Open(authn.Config{JWKSFile: os.Getenv(KeysVariable), Issuer: "otelplat-dev", Audience: "otelplat"})
	if err != nil {
		return err
	}
	if k.revoked, err = revoked.Open(ctx, k.client); err != nil {
		return err
	}
	k.onClose(k.revoked.Close)
	k.Guard = guard.New(revoked.Checked(verifier, k.revoked), k.engine, "shop."+k.service, guard.Public(public...))
	// Plaintext: all of the shop runs on this machine.
	k.Own = guard.TokenFile(os.Getenv(TokenVariable), guard.Plaintext())
	return nil
}

// openRouter finds instances by discovery, and follows what the fleet measured, what routing
// documents say and what operators force.
func (k *Kit) openRouter(ctx context.Context) error {
	directory, err := discovery.Etcd(k.client).Directory(ctx)
	if err != nil {
		return err
	}
	k.onClose(directory.Close)
	signals := signal.Etcd(k.client)
	k.onClose(signals.Close)
	documents := rules.Etcd(k.client)
	k.onClose(documents.Close)
	overrides := override.Etcd(k.client)
	k.onClose(overrides.Close)
	opts := []router.Option{
		router.WithSignals(signals), router.WithSignalMeter(k.Telemetry.SignalMeter()),
		router.WithRules(documents), router.WithOverrides(overrides), router.WithZone(os.Getenv(ZoneVariable)),
		// What routes may match under caller: who calls, and where it runs.
		router.WithCaller(k.instance, map[string]string{"service": k.service, "zone": os.Getenv(ZoneVariable)}),
	}
	if text := os.Getenv(EjectionVariable); text != "" {
		base, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%s: %w", EjectionVariable, err)
		}
		opts = append(opts, router.WithEjectionBase(base))
	}
	if k.Router, err = router.New(directory, opts...); err != nil {
		return fmt.Errorf("%s=%s: %w", EjectionVariable, os.Getenv(EjectionVariable), err)
	}
	k.onClose(k.Router.Close)
	return nil
}

func (k *Kit) onClose(f func() error) { k.closers = append(k.closers, f) }

// Close ends what Open began, the last first, and flushes telemetry.
func (k *Kit) Close() error {
	var errs []error
	for i := len(k.closers) - 1; i >= 0; i-- {
		errs = append(errs, k.closers[i]())
	}
	k.closers = nil
	if k.Telemetry != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		errs = append(errs, k.Telemetry.Shutdown(ctx))
	}
	return errors.Join(errs...)
}
