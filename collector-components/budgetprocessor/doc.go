// SPDX-License-Identifier: Apache-2.0

// Package budgetprocessor is the collector processor "otelplat_budget": it holds each
// service, and each tenant, to budgets of volume and of cardinality, and tells what
// each costs.
//
//	processors:
//	  otelplat_budget:
//	    document: # changes are in force at once
//	      name: budgets
//	      etcd: {endpoints: [http://127.0.0.1:2379], namespace: default}
//	    fleet: {name: gateways, collectors: 3} # share the budgets
//
// The document:
//
//	defaults: # of every service, each on its own
//	  spans_per_second: 1000
//	  log_bytes_per_second: 1e6
//	  data_points_per_second: 5000
//	  series: 10000
//	  series_per_metric: 2000
//	  values_per_label: 500
//	services:
//	  checkout: {spans_per_second: 5000}
//	  acme/checkout: {series: 50000} # of one tenant; / in its name is %2F, % is %25
//	tenants: # all services of one together
//	  acme: {spans_per_second: 20000, series: 200000}
//
// A service is the resource's service.name; its tenant is the sender's, as the
// receiver's authenticator says, never something in the data. What is left out, or 0,
// has no limit.
//
// # Volume
//
// Over its budget a service is sampled down, within the first second, so that in every
// minute what passes is the budget within 5 %. Others are not touched.
//
// Spans are sampled by their trace, consistently with OpenTelemetry's probability
// sampling: a span stays when the randomness of its trace reaches a threshold, which is
// written into its tracestate as ot=th, so that whoever counts spans can still count
// what they stand for. A span that came with a stricter threshold passes as it is, and
// what it stands for is part of the reckoning: two budgets one behind the other cut
// once. Log records in traces are kept by the trace, others so that the bytes come out,
// fairly by turns.
//
// Data points are thinned in time: every series keeps the same part of its points,
// spread over it. Which ones follows from the series and their time, so that collectors
// and retries choose alike. Values of cumulative series and of gauges lose resolution
// only; deltas that are cut are in the next point of their series, but for those that
// there is no room for, whose reason is "uncarried".
//
// The randomness of traces and the time of points are the sender's choice. Where the cut
// by it keeps far more than it should, they are cut again, by a keyed hash; the reason is
// "skewed".
// Trace ids that are not random but small are all cut over the budget.
//
// A tenant's budget counts what the budgets of its services left. A source that was
// silent may spend what it would have had meanwhile, for at most a minute, so that an
// exporter that sends once a minute needs no budget of sixty times its rate.
//
// # Cardinality
//
// Series that are active stay. Beyond the limits of the service, the metric or the
// tenant others are folded into {otel.metric.overflow: true}, and beyond that of a
// label's values that label becomes "_other": sums add up, cumulative ones by what they
// grew, histograms merge, gauges keep the last value. What cannot be folded is dropped.
// Package internal/series has the rules, and what they cost.
//
// # What is told
//
// Every item is counted by service and by what became of it, with the reason, in
// otelcol_processor_budget_items; bytes in and out, as encoded OTLP with the
// resource's part, in otelcol_processor_budget_bytes; documentation.md has the others.
// From eight tenths of a budget on there is an event otelplat.budget.warn, over it
// otelplat.budget.exceed, for series with the metrics and the labels to blame, and
// otelplat.budget.end once nothing was cut for a minute.
//
// # A fleet
//
// Collectors with the same fleet share the budgets of volume by demand. Each claims its
// parts in a key under a lease, budget/<fleet>/<collector>, at most twice a second;
// batches never wait for etcd. What they use together stays below 110 % of a budget;
// the part of one that is killed is the others' within the lease (10 s). With etcd away
// each keeps its parts; one that starts then uses one of as many parts as "collectors"
// says. Limits of series are each collector's own.
//
// # When something fails
//
// Nothing here fails a pipeline. The last good document stays in force; with none
// that was ever read, the budgets of the configuration hold. Memory for series is
// bounded (memory_mib): what there is no room for is folded, then dropped and counted.
// More services than max_services are their tenant's "_other"; those of tenants that
// are not known by then are one, nobody's.
//
// # Where to put it
//
// Behind the claims check, without which a sender spends the budget of whom it says it
// is, behind what drops by policy and what counts spans, and before batch, which
// forgets the sender.
package budgetprocessor
