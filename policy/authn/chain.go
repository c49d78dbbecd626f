// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"context"
	"errors"
)

// Chain returns a verifier that asks others in turn, until one knows the token for its
// own: the first whose error is neither [ErrForeign] nor [ErrIssuer] has the last word, so
// that a token that one issuer refuses is not tried on another. Verifiers of further
// kinds of tokens, such as introspection of opaque ones, take a place in it.
func Chain(verifiers ...Verifier) Verifier { return chain(verifiers) }

type chain []Verifier

// Verify returns what the verifier says whose token it is, or [ErrForeign].
func (c chain) Verify(ctx context.Context, token string) (*Principal, error) {
	last := ErrForeign
	for _, v := range c {
		p, err := v.Verify(ctx, token)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, ErrForeign) && !errors.Is(err, ErrIssuer) {
			return nil, err
		}
		last = err
	}
	return nil, last
}
