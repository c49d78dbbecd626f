// SPDX-License-Identifier: Apache-2.0

package semconv

// Events of what operators force upon routing. They have RouteService and RouteReason.
const (
	EventRouteOverride = "otelplat.route.override" // an operator's override of routing holds in this process
	EventRouteRelease  = "otelplat.route.release"  // it holds no more
)

// Attributes of overrides.
const (
	RouteOverrideTarget = "otelplat.route.override.target" // eject.<instance>, breaker or breaker.<route>
	RouteOverrideState  = "otelplat.route.override.state"  // ejected, open or closed
	RouteOverrideBy     = "otelplat.route.override.by"     // who forced it
	RouteOverrideFor    = "otelplat.route.override.for"    // how long it was given for, in seconds
)
