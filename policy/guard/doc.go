// SPDX-License-Identifier: Apache-2.0

// Package guard puts authentication and policy in front of HTTP and gRPC servers.
//
//	g := guard.New(verifier, engine, "shop.orders")
//	server := grpc.NewServer(grpc.ChainUnaryInterceptor(g.Unary), grpc.ChainStreamInterceptor(g.Stream))
//	http.ListenAndServe(addr, g.HTTP(mux, guard.Routes(mux)))
//
// Every request needs a bearer token that the verifier takes, and a yes of the
// engine's entrypoint. The input that policies see is AuthZEN's:
//
//	subject   type "user" or "service", id, properties {issuer, tenant, roles, scopes}
//	action    name: the HTTP method, or the full gRPC method
//	resource  type "route" or "rpc", id: the pattern of the route or the path; the full method
//
// A handler that knows more asks again, about the object itself:
//
//	err := guard.Authorize(ctx, "cancel", policy.Entity{Type: "order", ID: id,
//		Properties: map[string]any{"owner": order.Owner}})
//
// # Answers
//
// Without a valid token 401 (gRPC Unauthenticated), denied 403 (PermissionDenied):
// in HTTP as problem details (RFC 9457) that name the rule and the decision's id,
// which is in the decision's event too. Why a token was refused is said in general
// words only. With no policy loaded everything is denied.
//
// A token whose issuer's keys are not known, or not yet ([authn.ErrNoKeys],
// [authn.ErrKeyNotFetched]), gets 401 as well: strangers can bring that about, and answers
// such as 503 make routers and breakers take an instance for one that fails.
//
// # Clients
//
// [TokenFile] sends a service's own token, [Forward] passes on the token of the
// request that is being served, to a service that acts for the same caller. Tokens
// go over TLS or to this machine, and nowhere else unless [Plaintext] says so.
//
// # Beside tokens
//
// [Certificates] takes client certificates, [Fresh] denies while revocations may be
// missing, [Decision] hands a handler the obligations. [AuthZEN] is a decision point for
// others.
//
// Nothing here starts a goroutine.
package guard
