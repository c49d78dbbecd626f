// SPDX-License-Identifier: Apache-2.0

// Package authn finds out who sends a request: it verifies bearer tokens and
// carries the [Principal] through contexts.
//
//	verifier, err := authn.Open(authn.Config{JWKSFile: "keys.json", Issuer: "https://issuer", Audience: "shop"})
//	...
//	principal, err := verifier.Verify(ctx, token)
//
// # What a token must be
//
// A JWT signed by a key of the set, with EdDSA, ES256 or RS256 as the key's type
// says; with issuer, audience, subject and expiry, none of which is optional; at
// most 16 KiB, valid for at most 31 days, of type JWT or at+jwt; with no member twice and
// no key of its own. Times are compared with a leeway of 30 s. The claims kind ("user"
// or "service", by default "user"), tenant, roles and scope are taken over if they
// are there. Anything else is [ErrUnauthenticated], which wraps a more exact one;
// neither ever holds a part of the token.
//
// # Keys
//
// [OpenIssuer] fetches them from the issuer and keeps them current; a token with an
// unknown key causes a fetch at most each 30 s. [Open] reads them from a local file, a JWK
// Set, looked at once a second while
// tokens are verified and read when it changed. The set is replaced as a whole: a
// key that is not in it any more verifies nothing, cached tokens included. A file
// that vanished or does not parse leaves the last set.
//
// # Cost
//
// A token that was verified is known by its SHA-256 until it expires, for the 4,096
// last used or more: a hit costs under a microsecond and takes no lock. What was
// refused is not kept, so that a flood of bad tokens pushes out no good one.
//
// # Others than JWTs
//
// [APIKeys] and [Certificates] find out who sends a request too, and [Chain] asks several
// verifiers in turn. Package revoked takes back tokens before they expire.
//
// [OpenIssuer] and [NewCredentials] own a goroutine until Close; nothing else here starts
// one.
package authn
