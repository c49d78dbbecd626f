// SPDX-License-Identifier: Apache-2.0

package components

import (
	"context"
	"fmt"
	"time"

	"github.com/otelplat/platform/collector-components/etcdprovider"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/zap"
)

// Options configure [Run].
type Options struct {
	// URIs are the locations of the configuration, "file:/path", "etcd:name" or
	// "yaml:text", later ones over earlier ones; [DefaultURIs] when there are none.
	URIs []string

	// Version is what the collector says it is; "dev" when empty.
	Version string
}

// confirmEvery is how often a collector is asked whether it runs.
const confirmEvery = 100 * time.Millisecond

// Run runs a collector until the context ends, and returns when it has shut down. A
// configuration that cannot be used is the error, but for one from etcd after which
// there is another: a collector that ended over its reload, or over a document that
// does not start, starts again with the last good one.
//
// The process stays its owner's. Run takes neither SIGINT nor SIGTERM, and leaves
// gRPC's logger alone. It takes SIGHUP, with which it reads its configuration again:
// otelcol does so in any case.
func Run(ctx context.Context, o Options) error {
	var trial etcdprovider.Trial
	for {
		ran, err := run(ctx, settings(o, &trial), &trial)
		if err == nil || ctx.Err() != nil {
			return err
		}
		// Both are wanted: what failed is closed and taken back in any case.
		if another := trial.Failed(err); !another && !ran {
			return err
		}
		fallbackLog().Error("the collector ended over its configuration; it starts again", zap.Error(err))
	}
}

// run runs one collector and reports whether it ever ran.
func run(ctx context.Context, set otelcol.CollectorSettings, trial *etcdprovider.Trial) (ran bool, err error) {
	collector, err := otelcol.NewCollector(set)
	if err != nil {
		return false, fmt.Errorf("collector: %w", err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(confirmEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				trial.Confirm(func() bool {
					running := collector.GetState() == otelcol.StateRunning
					ran = ran || running
					return running
				})
			}
		}
	}()
	err = collector.Run(ctx)
	close(stop)
	<-stopped
	if err != nil {
		err = fmt.Errorf("collector: %w", err)
	}
	return ran, err
}

// fallbackLog is for what happens between two collectors, which have their own.
func fallbackLog() *zap.Logger {
	log, err := zap.NewProduction()
	if err != nil {
		return zap.NewNop()
	}
	return log
}
