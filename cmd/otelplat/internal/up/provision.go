// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"io/fs"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/collector-components/components"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/versioned"
	shoppolicy "github.com/otelplat/platform/examples/shop/policy"
	"github.com/otelplat/platform/policy"
)

// Provision makes keys and tokens, and pushes the bundles that are not there yet. It
// renews the tokens until the context ends; errors of that go to report.
func Provision(ctx context.Context, dir *datadir.Dir, client *coord.Client, demo bool, report func(error)) error {
	issuer, err := dir.Issuer()
	if err != nil {
		return err
	}
	if err := dir.KeepTokens(ctx, issuer, principals(demo), report); err != nil {
		return err
	}
	key, err := dir.PolicyKey()
	if err != nil {
		return err
	}
	bundles := map[string]fs.FS{"telemetry": components.DefaultBundle()}
	if demo {
		bundles["shop"] = shoppolicy.Files
	}
	for name, files := range bundles {
		archive, err := policy.Build(files)
		if err != nil {
			return err
		}
		_, err = policy.Push(ctx, client, name, archive, policy.PushOptions{
			Key: key, Author: "otelplat up", Reason: "default", Expect: 0, // only where there is none
		})
		var conflict *versioned.ConflictError
		if err != nil && !errors.As(err, &conflict) {
			return err
		}
	}
	return nil
}
