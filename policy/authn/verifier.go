// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// ErrUnauthenticated is what every refused token's error is.
var ErrUnauthenticated = errors.New("authn: not authenticated")

// Why a token was refused. Each is [ErrUnauthenticated] too.
var (
	ErrMalformed  = fmt.Errorf("%w: the token is malformed", ErrUnauthenticated)
	ErrUnknownKey = fmt.Errorf("%w: the token is signed with an unknown key", ErrUnauthenticated)
	ErrSignature  = fmt.Errorf("%w: the token's signature does not fit", ErrUnauthenticated)
	ErrExpired    = fmt.Errorf("%w: the token has expired", ErrUnauthenticated)
	ErrNotYet     = fmt.Errorf("%w: the token is not valid yet", ErrUnauthenticated)
	ErrIssuer     = fmt.Errorf("%w: the token is of another issuer", ErrUnauthenticated)
	ErrAudience   = fmt.Errorf("%w: the token is for another audience", ErrUnauthenticated)
	ErrClaims     = fmt.Errorf("%w: the token lacks a claim, or one has the wrong form", ErrUnauthenticated)
	ErrType       = fmt.Errorf("%w: the token is of another type", ErrUnauthenticated)
	ErrLifetime   = fmt.Errorf("%w: the token is valid for too long", ErrUnauthenticated)
	ErrRevoked    = fmt.Errorf("%w: the token was revoked", ErrUnauthenticated)
	ErrNoKeys     = fmt.Errorf("%w: the issuer's keys are not known yet", ErrUnauthenticated)

	// ErrKeyNotFetched is an [ErrUnknownKey] that may be early: the issuer's keys were not
	// read since the token came, so that it may be signed with a new one. The token is
	// refused now, and may be taken when it is sent again.
	ErrKeyNotFetched = fmt.Errorf("%w, and the issuer's newest keys were not fetched since", ErrUnknownKey)

	// ErrForeign is returned for a token that is not one of the verifier's: a [Chain]
	// asks the next. To who asks one verifier only it is a malformed one.
	ErrForeign = fmt.Errorf("%w: it is of a form that nobody here takes", ErrMalformed)
)

// Verifier finds out whose token it is. Implementations are safe for concurrent
// use.
type Verifier interface {
	// Verify returns whose token it is, or an error that is [ErrUnauthenticated].
	Verify(ctx context.Context, token string) (*Principal, error)
}

// Fixed is a verifier that knows its tokens: for tests. Lookups are by hash, so
// that their time tells nothing of a token.
type Fixed struct {
	known map[[sha256.Size]byte]*Principal
}

// NewFixed returns a verifier of these tokens.
func NewFixed(tokens map[string]*Principal) *Fixed {
	f := &Fixed{known: make(map[[sha256.Size]byte]*Principal, len(tokens))}
	for token, p := range tokens {
		f.known[sha256.Sum256([]byte(token))] = p
	}
	return f
}

// Verify returns whose token it is; [ErrUnknownKey] for one that it does not know,
// [ErrExpired] after the principal's time.
func (f *Fixed) Verify(_ context.Context, token string) (*Principal, error) {
	p := f.known[sha256.Sum256([]byte(token))]
	switch {
	case p == nil:
		return nil, ErrUnknownKey
	case !p.Expires.IsZero() && time.Now().After(p.Expires):
		return nil, ErrExpired
	}
	return p, nil
}
