// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Behaviour is how an instance behaves. `otelplat demo` sets it while it runs.
type Behaviour struct {
	Delay     time.Duration `config:"delay"`
	FailRatio float64       `config:"fail_ratio"`
	Sick      bool          `config:"sick"` // fails a health check, and nothing else
}

// Validate holds the values against their limits.
func (b *Behaviour) Validate() error {
	if b.FailRatio < 0 || b.FailRatio > 1 || b.Delay < 0 || b.Delay > time.Minute {
		return errors.New("want a fail_ratio of 0 to 1, and a delay of 0 to 1m")
	}
	return nil
}

// Misbehave waits and fails as the instance is told to.
func (k *Kit) Misbehave(ctx context.Context) error {
	b := k.Behaviour.Get()
	select {
	case <-time.After(b.Delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	if rand.Float64() < b.FailRatio { //nolint:gosec // a demonstration
		return errors.New("this instance fails, as it was told to")
	}
	return nil
}
