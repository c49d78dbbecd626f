// SPDX-License-Identifier: Apache-2.0

// Package policyauthextension is the collector extension "otelplat_policy_auth": it says
// who sends. A receiver that names it in its auth block accepts only requests with
// "authorization: Bearer <JWT>" that package policy/authn verifies.
//
//	extensions:
//	  otelplat_policy_auth:
//	    jwks_file: /etc/otelplat/jwks.json # public keys; read again when it changes
//	    issuer: otelplat-dev
//	    audience: otelplat
//	receivers:
//	  otlp:
//	    protocols:
//	      grpc:
//	        auth: {authenticator: otelplat_policy_auth}
//
// The sender is in client.FromContext(ctx).Auth with the attributes subject, kind,
// issuer, tenant and principal ("<kind>:<subject>"), for the processors behind the
// receiver: the claims check, and the signals whose trust rests on it. A batch
// processor forgets them, so that it belongs behind these.
//
// Every refusal is gRPC's Unauthenticated or HTTP's 401, which senders do not
// retry, and is counted by reason in otelcol_extension_policy_auth_refusals. With
// "anonymous: true" a request without a token passes, without a sender; one with a
// bad token never does.
package policyauthextension
