// SPDX-License-Identifier: Apache-2.0

// Package revoked takes back tokens before they expire, everywhere within a second: by
// the token's id, by who it is of, or by the session that it belongs to.
//
//	list, err := revoked.Open(ctx, client)
//	defer list.Close()
//	verifier := revoked.Checked(jwt, list) // before the guard
//	...
//	err = revoked.Revoke(ctx, client, revoked.Entry{Session: "s-1", Until: expires, Reason: "laptop lost"})
//
// A revocation is a key in etcd below auth/revoked/, which lives until the last token
// that it is about has expired; each service has all of them in a mirror. The check comes
// after the verifier's cache, so that cached tokens are no exception, and costs a few
// look-ups in memory.
//
// # When etcd is away
//
// What is known stays revoked, and nothing more becomes known: [List.Age] grows. Past
// [MaxAge] entrypoints for which that matters deny (guard.Fresh), others go on, and
// [List.Check] fails, for health to say so.
//
// A List owns one mirror until Close.
package revoked
