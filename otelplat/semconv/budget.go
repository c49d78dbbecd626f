// SPDX-License-Identifier: Apache-2.0

package semconv

// Events of the collector's budgets.
const (
	EventBudgetWarn   = "otelplat.budget.warn"   // a service or a tenant uses more than eight tenths of a budget
	EventBudgetExceed = "otelplat.budget.exceed" // it is over it, and is cut
	EventBudgetEnd    = "otelplat.budget.end"    // it is within it again; says for how long it was not
)

// Attributes of those events.
const (
	BudgetKind      = "otelplat.budget.kind"      // "spans", "log_bytes", "data_points" or "series"
	BudgetTenant    = "otelplat.budget.tenant"    // of the sender
	BudgetUsed      = "otelplat.budget.used"      // what is asked for, a second as the mean of a minute; of series those that are active
	BudgetLimit     = "otelplat.budget.limit"     // of this collector
	BudgetCut       = "otelplat.budget.cut"       // items, of logs bytes, that were dropped or folded since it was exceeded
	BudgetDuration  = "otelplat.budget.duration"  // seconds for which it was exceeded
	BudgetOffenders = "otelplat.budget.offenders" // metrics with the most series as "<metric>=<series>", then labels as "<metric>{<label>}=<values>"
)
