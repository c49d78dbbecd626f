// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"errors"

	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/revoked"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refusal is what a sender reads. It tells nothing of the keys or the credentials.
type refusal struct {
	text string
	code codes.Code
}

func (r *refusal) Error() string { return r.text }

// GRPCStatus is what the collector's gRPC server answers, and the body of a middleware's
// answer over HTTP. The collector's HTTP server takes the text alone of an authenticator.
func (r *refusal) GRPCStatus() *status.Status { return status.New(r.code, r.text) }

var (
	errNoCredentials = &refusal{"no bearer token", codes.Unauthenticated}
	errRefused       = &refusal{"the credentials were refused", codes.Unauthenticated}
	errNotNow        = &refusal{"senders cannot be verified at the moment: try again", codes.Unavailable}
)

// Reasons of refusals that no error of package authn stands for.
const (
	reasonNoToken    = "no_token"
	reasonNotRunning = "not_running"
	reasonInvalid    = "invalid"
)

// refusals are the reasons by their errors, the more exact ones first.
var refusals = []struct {
	err    error
	reason string
	answer *refusal
}{
	{authn.ErrNoKeys, "no_keys", errNotNow},
	{authn.ErrKeyNotFetched, "key_not_fetched", errNotNow},
	{revoked.ErrStale, "revocations_stale", errNotNow},
	{authn.ErrExpired, "expired", errRefused},
	{authn.ErrRevoked, "revoked", errRefused},
	{authn.ErrUnknownKey, "unknown_key", errRefused},
	{authn.ErrSignature, "signature", errRefused},
	{authn.ErrNotYet, "not_yet", errRefused},
	{authn.ErrIssuer, "issuer", errRefused},
	{authn.ErrAudience, "audience", errRefused},
	{authn.ErrCertificate, "certificate", errRefused},
	{authn.ErrMalformed, "malformed", errRefused},
}

// refused returns the counter's reason and the sender's answer for an error.
func refused(err error) (reason string, answer *refusal) {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.reason, r.answer
		}
	}
	return reasonInvalid, errRefused
}
