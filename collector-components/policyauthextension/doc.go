// SPDX-License-Identifier: Apache-2.0

// Package policyauthextension is the collector extension "otelplat_policy_auth": it says
// who sends. A receiver that names it accepts only requests whose credentials package
// policy/authn verifies: "authorization: Bearer" with a JWT or an API key, or a client
// certificate. Over gRPC it is the receiver's authenticator; over HTTP better a middleware,
// which sees certificates and tells senders when to try again.
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
//	      http:
//	        middlewares: [{id: otelplat_policy_auth}]   # in place of auth
//	        compression_algorithms: ["", gzip, zstd, zlib, deflate, lz4, x-snappy-framed]
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
// What cannot be judged at the moment (an issuer's keys are not known yet, or were not
// fetched since a token with an unknown one came; revocations are too old and require_fresh
// is set; the extension does not run) is gRPC's Unavailable, and a middleware's 503 with
// Retry-After, which they do. The collector's HTTP server answers 401 to every error of an
// authenticator, and the sender's batch is lost. So Start waits up to wait_for_keys, while
// receivers do not listen yet. In each case nobody is let in, and the refusal is counted by
// reason in otelcol_extension_policy_auth_refusals. A request is let in or refused as a
// whole: the stock receiver has no partial success to answer.
//
// # Middleware or authenticator
//
// A receiver that names the extension as both asks the authenticator first. Whom that
// refuses the middleware does not see; whom it lets in the middleware verifies again, and
// may still refuse, or know by the certificate where "anonymous: true" let everybody pass.
//
// The collector's HTTP server asks an authenticator before it looks at the body, and a
// middleware after it prepared to decompress it: the head of gzip, zlib and deflate is read
// by then, nothing of zstd, lz4 and framed snappy, but a block of snappy ("snappy") is read
// and decompressed whole, up to max_request_body_size, whoever sent it. So leave snappy out
// of compression_algorithms. Content-Encodings that are unknown or broken there are
// answered 400, also to strangers. CORS preflights are answered before either. An
// authenticator's request_params (credentials in the URL) have no like in a middleware.
package policyauthextension
