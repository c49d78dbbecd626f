// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"

	"github.com/otelplat/platform/coord/router/rules"
)

type claimsKey struct{}

// ContextWithClaims returns a context that tells routes what is known of who sends a
// request: the claims of the user on whose behalf it is made, as the caller verified them.
func ContextWithClaims(ctx context.Context, c rules.Claims) context.Context {
	return context.WithValue(ctx, claimsKey{}, c)
}

func claimsOf(ctx context.Context) rules.Claims {
	c, _ := ctx.Value(claimsKey{}).(rules.Claims)
	return c
}
