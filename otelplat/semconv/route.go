// SPDX-License-Identifier: Apache-2.0

package semconv

// The router's measurements. They leave the service on the signal meter
// provider (delta temporality, one export a second) and are what the
// collector's signal processor turns into signals.
const (
	// RouteScope is the instrumentation scope of the router's instruments. The
	// signal processor takes routing measurements from this scope only.
	RouteScope = "github.com/otelplat/platform/coord/router"

	// RouteDuration is a base-2 exponential histogram of the time that an
	// attempt took, from the choice of the instance to the end of the response
	// body, in seconds. One record for each attempt, so that its count is the
	// number of attempts and its sum, divided by the time it covers, is the
	// mean number in flight (Little's law).
	RouteDuration = "otelplat.route.duration"

	// RouteEjections counts how often this router took an instance out of
	// rotation on its own evidence, in {ejection}. Traffic to the instance ends
	// there, often after fewer failures than evidence needs: this counter is
	// how the fleet still hears of it.
	RouteEjections = "otelplat.route.ejections"
)

// RouteProbesSkipped counts how often an instance was not asked for its load because too
// many questions were on their way, in {probe}.
const RouteProbesSkipped = "otelplat.route.probes.skipped"

// RouteRefused counts the requests that a breaker did not let through, in {request}.
const RouteRefused = "otelplat.route.refused"

// Attributes of the router's measurements and events.
const (
	RouteService  = "otelplat.route.service"  // name of the service called
	RouteInstance = "otelplat.route.instance" // id of the instance called
	RouteVariant  = "otelplat.route.variant"  // variant of the instance; absent when it has none
	RouteZone     = "otelplat.route.zone"     // zone of the instance; absent when it has none
	RouteRoute    = "otelplat.route.route"    // name of the route that the request took; absent when it took none
	RouteOutcome  = "otelplat.route.outcome"  // one of the Outcome values
	RouteReason   = "otelplat.route.reason"   // why the router acted

	RouteFigure     = "otelplat.route.figure"      // prefix of a figure that led to the decision: .consecutive, .failure_ratio, …
	RouteThreshold  = "otelplat.route.threshold"   // prefix of what it was held against
	RouteCallers    = "otelplat.route.callers"     // callers that were counted
	RouteBadCallers = "otelplat.route.bad_callers" // of them, how many saw it bad

	RouteHold      = "otelplat.route.hold"      // how long an instance stays out before it is probed, in seconds
	RouteEpisode   = "otelplat.route.episode"   // how often it was taken out since it was last well for long
	RouteInstances = "otelplat.route.instances" // instances of the service that are in service
	RouteRotation  = "otelplat.route.rotation"  // of them, how many are left in rotation
)

// Attributes of what an automatic act came to, ten seconds before it and ten after, as the
// process that acted saw the service.
const (
	RouteAct            = "otelplat.route.act"             // name of the event that told of the act
	RouteActID          = "otelplat.route.act.id"          // [LogRecordUID] of that event
	RouteErrorsBefore   = "otelplat.route.errors.before"   // part of the attempts that failed, 0 to 1
	RouteErrorsAfter    = "otelplat.route.errors.after"    // the same, after
	RouteP99Before      = "otelplat.route.p99.before"      // 99th percentile of the latency of those that did not, in seconds
	RouteP99After       = "otelplat.route.p99.after"       // the same, after
	RouteRequestsBefore = "otelplat.route.requests.before" // attempts that the figures are of
	RouteRequestsAfter  = "otelplat.route.requests.after"  // the same, after
)

// Values of [RouteOutcome].
const (
	OutcomeOK        = "ok"        // answered, and not with a server error
	OutcomeError     = "error"     // answered with a server error
	OutcomeTimeout   = "timeout"   // the caller's deadline passed
	OutcomeRefused   = "refused"   // no connection: refused or unreachable
	OutcomeCancelled = "cancelled" // the caller gave up: says nothing of the instance
)

// Events of the router.
const (
	EventRouteEject    = "otelplat.route.eject"     // an instance left the rotation
	EventRouteReadmit  = "otelplat.route.readmit"   // an instance is back after its probes succeeded
	EventRoutePanic    = "otelplat.route.panic"     // too few instances were left: ejections are ignored
	EventRouteOpen     = "otelplat.route.open"      // a breaker lets nothing through
	EventRouteHalfOpen = "otelplat.route.half_open" // a breaker lets a growing part through
	EventRouteClose    = "otelplat.route.close"     // a breaker lets everything through again
	EventRouteWould    = "otelplat.route.would"     // what would have been done, were the switch not at observe
	EventRouteEffect   = "otelplat.route.effect"    // what an automatic act came to
)
