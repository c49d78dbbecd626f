// SPDX-License-Identifier: Apache-2.0

// Package policyauthextension is the collector extension "otelplat_policy_auth": it says
// who sends. A receiver that names it in its auth block accepts only requests whose
// credentials package policy/authn verifies: "authorization: Bearer" with a JWT or an API
// key, or, over gRPC, a client certificate.
//
//	extensions:
//	  otelplat_policy_auth:
//	    audience: otelplat
//	    issuers:
//	      - issuer: https://login.example.com       # keys by OpenID Connect discovery
//	      - issuer: otelplat-dev
//	        jwks_file: /etc/otelplat/jwks.json      # read again when it changes
//	    api_keys: {file: /etc/otelplat/keys.json}   # records with hashes, as `authn.NewAPIKey` makes
//	    client_certificates: {trust_domains: [fleet]}
//	    revocations: {etcd: {endpoints: [http://127.0.0.1:2379]}}
//	receivers:
//	  otlp:
//	    protocols:
//	      grpc:
//	        auth: {authenticator: otelplat_policy_auth}
//
// The sender is in client.FromContext(ctx).Auth with the attributes subject, kind,
// issuer, tenant, principal ("<kind>:<subject>"), method, roles and scopes, for the
// processors behind the receiver: the claims check, and the signals whose trust rests on
// it. A batch processor forgets them, so that it belongs behind these.
//
// A request with a token is judged by the token, whatever its certificate. With
// "anonymous: true" a request without credentials passes, without a sender; one with bad
// ones never does.
//
// # What is refused, and what senders do then
//
// Bad credentials are gRPC's Unauthenticated or HTTP's 401, which senders do not retry.
// What cannot be judged at the moment (an issuer's keys are not known yet, revocations
// are too old and require_fresh is set, the extension does not run) is gRPC's
// Unavailable, which they do; the collector's HTTP server answers 401 to every error of
// an authenticator, and the sender's batch is lost. So Start waits up to wait_for_keys,
// while receivers do not listen yet. Either way nobody is let in, and the refusal is
// counted by reason in otelcol_extension_policy_auth_refusals. A request is let in or
// refused as a whole: the stock receiver has no partial success to answer.
package policyauthextension
