// SPDX-License-Identifier: Apache-2.0

// Package health says whether a service works, without ever waiting for the answer.
//
//	checks := health.New()
//	defer checks.Shutdown(ctx)
//	err := checks.Add("database", db.Ping)
//	err = checks.Add("policy", health.Age(engine.Age, time.Minute), health.WithSeverity(health.Degraded))
//	...
//	mux.Handle("/", checks.Handler()) // /livez, /readyz, /healthz
//	healthpb.RegisterHealthServer(server, checks.GRPC())
//	discovery.Etcd(client).Register(ctx, instance, discovery.WithStatusUpdates(checks.Updates),
//		discovery.WithStatus(func() discovery.Status { ... checks.Status() ... }))
//
// # Checks
//
// Every check runs in the background, at once and then each [DefaultInterval], for at
// most [DefaultTimeout], all of them side by side. Whoever asks reads the last
// results, with their age. A check that hangs, even for ever, is a failed one: it
// slows no other check and no answer, and is not called again before it returns, so
// that there is at most one goroutine for each check and one for all of them.
//
// A check that worked has to fail three times in a row ([WithThreshold]) before it
// counts; one success ends that. One whose first result is a failure has failed.
//
// # The whole
//
// From the worst to the best:
//
//	down       a critical check fails
//	draining   [Checks.Drain] was called: the service ends soon
//	starting   a critical check has no result yet
//	degraded   a check of severity degraded fails
//	up
//
// A service that is up or degraded is ready. A shared dependency, as a database that
// all instances use, is better watched with severity degraded: when it fails, taking
// all instances out of rotation helps nobody.
//
// Liveness never looks outside the process: /livez answers 200 unless a [Heartbeat]
// of the process itself is late. Restarting helps against a stuck loop, not against
// a database that is away.
//
// # What it tells
//
// Each change is the event otelplat.health.change; the results are the metrics
// otelplat.health.status, otelplat.health.age and otelplat.health.failures; a check
// that takes longer than a second is logged. /healthz has the errors' texts: serve it
// where strangers do not come, and [Checks.Probes] where they do.
package health
