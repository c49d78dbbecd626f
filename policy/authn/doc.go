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
// [OpenIssuer] fetches them from the issuer and keeps them current. [Open] reads them from a
// local file, a JWK Set, looked at once a second while tokens are verified, and when a token
// has an unknown key; it is read when it changed. The set is replaced as a whole: a key that
// is not in it any more verifies nothing, cached tokens included. A file that vanished or
// does not parse leaves the last set.
//
// # Keys that are not known yet
//
// A token with an unknown key causes a fetch and waits for it, for 2 s at most; those that
// come meanwhile wait for the same one, up to 1,024 of them. Tokens cause a fetch each 30 s
// at most, whatever arrives, and after one that failed 1, 2, 4, 8 and then 10 s later. A
// token that no key would make good, because it has expired, is for others, or names no key,
// causes none.
//
// If the key is not in a set whose fetch began after the token came, the token is refused
// with [ErrUnknownKey]. If there was no such fetch (it failed, is slow, or is not due yet)
// nobody can tell a new key from one that was made up, and the error is [ErrKeyNotFetched]:
// an ErrUnknownKey too, so that nobody is let in, and a reason to send the token again.
//
// A fetch that succeeded less than 30 s ago does not count, because anybody can cause it with
// a made-up key just before the issuer rotates: its good senders would be refused for good,
// and lose what they sent. The price is that made-up tokens get ErrKeyNotFetched for these
// 30 s too. Who sends them may send them again; each is judged by the next fetch that it
// causes, nothing is kept for them, and tokens with known keys notice nothing of it. Nor is
// it remembered which keys were not found: a key can be asked for before it is published.
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
