// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/cmd/otelplat/internal/routes"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/spf13/cobra"
)

const (
	// actsSuffix makes of a namespace that in which the collector's configurations keep copies
	// of what routers tell of their acts.
	actsSuffix = "-acts"

	// actsWait bounds how long the rest of an answer waits for NATS to be reached, and then
	// for what routers did.
	actsWait = 2 * time.Second
)

// reach is how far back, and where, it is looked for what routers did.
type reach struct {
	back time.Duration
	nats string
}

func (r *reach) flags(c *cobra.Command) {
	c.Flags().DurationVar(&r.back, "acts", 15*time.Minute, "how far back to show what the fleet's routers did, the last ten things, with -o json more (0: nothing)")
	c.Flags().StringVar(&r.nats, "nats", "", "NATS's URLs, where that is kept (OTELPLAT_NATS_URL; else that of the running up)")
}

func (r *reach) check() error {
	if r.back < 0 || r.back > jetstream.DefaultMaxAge {
		return fmt.Errorf("--acts %v is not between 0 and %v, for which events are kept", r.back, jetstream.DefaultMaxAge)
	}
	return nil
}

// acts returns what the fleet's routers did about a service, or why that is not known; nil
// when nobody asked. The target is that of the etcd that was asked for the rest.
func (r *reach) acts(ctx context.Context, t *target, namespace, service string) *routes.Acts {
	if r.back == 0 {
		return nil
	}
	a, err := r.read(ctx, t, namespace, service)
	if err != nil {
		return routes.NoActs(r.back, err.Error())
	}
	return a
}

func (r *reach) read(ctx context.Context, t *target, namespace, service string) (*routes.Acts, error) {
	url := cmp.Or(r.nats, os.Getenv("OTELPLAT_NATS_URL"))
	if url == "" && t.named() { // the NATS of a running up is not that of another etcd
		return nil, errors.New("no NATS is named, with --nats or OTELPLAT_NATS_URL")
	}
	if url == "" {
		running, err := datadir.At(t.dataDir).Running()
		if err != nil {
			return nil, err
		}
		url = running.NATS
	}
	wait := min(actsWait, t.timeout)
	from := natsTarget{url: url, namespace: namespace + actsSuffix, timeout: wait}
	bus, err := from.open(ctx)
	if err != nil {
		return nil, err
	}
	defer closeSoon(bus)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	a, err := routes.ReadActs(ctx, bus, service, r.back)
	if errors.Is(err, jetstream.ErrNoStream) {
		return nil, fmt.Errorf("%w: no collector has copied acts there", err)
	}
	return a, err
}
