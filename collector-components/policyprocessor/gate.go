// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"sync/atomic"

	"github.com/otelplat/platform/policy"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errNoBundle is what a sender gets while no bundle is loaded. Unavailable is the
// code that OTLP's senders retry; over HTTP the receiver makes it a 503.
var (
	errNoBundle      = status.Error(codes.Unavailable, "no policy bundle is loaded yet: try again")
	errBundleRefused = status.Error(codes.Unavailable, "the policy bundle is not one for this collector: try again")
)

// gate stands before a processor's work: nothing passes it while no bundle is
// loaded, unless the configuration allows that.
type gate struct {
	engine    atomic.Pointer[policy.Engine] // nil before start and after shutdown
	require   bool
	telemetry *telemetry
}

// open returns the engine and its current snapshot; no snapshot when none is
// loaded and none is required.
func (g *gate) open(ctx context.Context) (*policy.Engine, *policy.Snapshot, error) {
	engine := g.engine.Load()
	if engine != nil {
		if s := engine.Snapshot(); s != nil {
			return engine, s, nil
		}
	}
	return nil, nil, g.refuse(ctx, reasonNoBundle, errNoBundle)
}

// refuse returns the error with which a batch is refused; none when that is not required.
func (g *gate) refuse(ctx context.Context, reason string, err error) error {
	if !g.require {
		return nil
	}
	g.telemetry.refusedBatch(ctx, reason)
	return err
}
