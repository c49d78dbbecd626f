// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import "github.com/otelplat/platform/policy"

// telemetryPackage is the package of a bundle that rules over telemetry.
const telemetryPackage = "otelplat.telemetry"

// kind is what a rule of the package does. The order is that in which they are asked
// and done.
type kind uint8

const (
	drop kind = iota
	keep
	observe
	sample
	redaction
	assign
	route
	kinds
)

// dryRun is the rule of the package that names rules which annotate instead of acting.
const dryRun = "dry_run"

// names are those of the rules in the package; with "_" before them they stand for all
// rules of the kind when it failed as a whole.
var names = [kinds]string{"drop", "keep", "observe", "sample", "redact", "set", "route"}

// actions tell what happened to an item, in counters and events.
var actions = [kinds]string{"dropped", "kept", "observed", "sampled", "redacted", "set", "routed"}

func (k kind) String() string { return names[k] }
func (k kind) path() string   { return policy.Path("otelplat", "telemetry", names[k]) }

// whole stands for the kind's rules together.
func (k kind) whole() string { return "_" + names[k] }

// hasNames says that the kind is a set of names; else it is an object of rules by their
// names, but for the route, which is one name.
func (k kind) hasNames() bool { return k <= observe }

// closed says that an item whose rules of this kind fail must not go on as it is: a
// secret could pass, or reach somebody else's pipeline.
func (k kind) closed() bool { return k == redaction || k == route }
