// SPDX-License-Identifier: Apache-2.0

// Package routeconnector is the collector connector "otelplat_route": it sends each span,
// metric and log record to the pipelines of the route that an attribute of it names, which
// a policy in front of it has set.
//
//	connectors:
//	  otelplat_route:
//	    default: [traces/hot, logs/hot]
//	    routes:
//	      cold: [traces/cold, logs/cold]
//	      audit: [logs/hot, logs/audit] # each has all of it
//	service:
//	  pipelines:
//	    traces:      {receivers: [otlp], processors: [otelplat_policy/enforce], exporters: [otelplat_route]}
//	    traces/hot:  {receivers: [otelplat_route], exporters: [otlp/hot]}
//	    traces/cold: {receivers: [otelplat_route], exporters: [otlp/cold]}
//
// The route is the text of otelplat.telemetry.route: on a span or log record an attribute,
// on a metric an entry of its metadata, and else an attribute of the resource. It is taken
// out on the way. What names no route takes the default; so does what names one that there
// is not, and is counted.
//
// A batch whose items take one way is passed on as it is. Another one is split: items move,
// in their order, and each part has its copy of resource and scope.
//
// When one route takes its part of a batch and another cannot for now, the sender is told
// to send all again, and what was taken is there twice: "partial_failure: drop" loses the
// other part instead. With a sending queue in each exporter behind it, neither comes up
// before a queue is full.
package routeconnector
