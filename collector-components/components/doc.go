// SPDX-License-Identifier: Apache-2.0

// Package components is the otelplat collector: the list of what it is made of,
// its default configuration, the default telemetry bundle, and [Run], which
// distribution's main and `otelplat up` both call.
//
// The default configuration, in order:
//
//	otlp receiver (gRPC and HTTP; otelplat_policy_auth: who sends)
//	→ memory_limiter
//	→ otelplat_policy/claims (may this sender send as this service?)
//	→ otelplat_signal (traces and metrics: rate, errors and latency of every instance, to etcd)
//	→ otelplat_catalog (who owns it, of which version and zone it is)
//	→ otelplat_policy/enforce (drop, sample, redact, set, route)
//	→ otelplat_budget (volume and series of each service)
//	→ batch → exporter; and of logs what routers tell of their acts to
//	  otelplat_events/acts (NATS JetStream, best effort)
//
// Published events have a pipeline of their own, so that NATS away refuses them and
// nothing else:
//
//	otlp/events receiver (gRPC; otelplat_policy_auth)
//	→ memory_limiter
//	→ otelplat_policy/events (refuses what the sender may not send)
//	→ otelplat_events (NATS JetStream, acknowledged)
//
// The platform's own events, of what was decided in the pipelines above, have one too:
//
//	otelplat_events receiver (this process: see [Events])
//	→ memory_limiter
//	→ batch → exporter, and otelplat_events/platform (NATS JetStream, best effort)
//
// It reads these environment variables; all but the first two have a default:
//
//	OTELPLAT_JWKS_FILE       public keys of the tokens' issuer
//	OTELPLAT_POLICY_KEYS     public keys that sign bundles, separated by commas
//	OTELPLAT_ISSUER          the issuer (otelplat-dev)
//	OTELPLAT_AUDIENCE        the audience (otelplat)
//	OTELPLAT_ETCD_ENDPOINTS  (http://127.0.0.1:2379)
//	OTELPLAT_NAMESPACE       (default); copies of the platform's events are in it with
//	                         -platform behind, those of the acts of routers with -acts
//	OTELPLAT_COLLECTOR_ID    id in the keys of signals (host name and random letters)
//	OTELPLAT_EJECTION_BASE   (30s)
//	OTELPLAT_OTLP_GRPC       host:port (127.0.0.1:4317)
//	OTELPLAT_OTLP_HTTP       host:port (127.0.0.1:4318)
//	OTELPLAT_EVENTS_GRPC     host:port of published events (127.0.0.1:4319)
//	OTELPLAT_NATS_URL        (nats://127.0.0.1:4222); with it OTELPLAT_NATS_CREDS_FILE,
//	                         _CA_FILE, _CERT_FILE and _KEY_FILE
//	OTELPLAT_HEALTH          host:port (127.0.0.1:13133)
//	OTELPLAT_METRICS_PORT    port on 127.0.0.1 of its own metrics (8888)
//	OTELPLAT_EXPORT          OTLP gRPC endpoint to export to; https://… takes TLS,
//	                         others are plain; without it everything is discarded
package components
