// SPDX-License-Identifier: Apache-2.0

package routeconnector

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/consumer/consumererror"
)

// failure is how a batch that was split ends, whose parts ended so: nil for those that
// were taken.
//
// An error that a retry could mend makes the sender send all again, also what was taken,
// and so does the collector's own fan-out. An error that no retry mends must not keep the
// sender from it: among joined errors it would, since one permanent error makes the whole
// permanent.
func (w *ways[C]) failure(ctx context.Context, parts []error) error {
	var permanent, transient []error
	for _, err := range parts {
		switch {
		case err == nil:
		case consumererror.IsPermanent(err):
			permanent = append(permanent, err)
		default:
			transient = append(transient, err)
		}
	}
	failed := len(permanent) + len(transient)
	if len(transient) == 0 {
		return errors.Join(permanent...)
	}
	if failed < len(parts) {
		w.tel.ConnectorRoutePartialFailures.Add(ctx, 1, w.signal)
		if w.cfg.PartialFailure == PartialDrop {
			// As text: a gRPC status within would be the answer, and would say to try again.
			return consumererror.NewPermanent(fmt.Errorf("otelplat_route: %d of %d routes failed: %s",
				failed, len(parts), errors.Join(append(transient, permanent...)...).Error()))
		}
	}
	return fmt.Errorf("otelplat_route: %d of %d routes failed: %w", failed, len(parts), errors.Join(transient...))
}
