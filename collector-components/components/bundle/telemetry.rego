# SPDX-License-Identifier: Apache-2.0

# What the collector drops, keeps and redacts, asked for every span, metric and log
# record. The input is {signal, resource, scope, item}: see package policyprocessor.
package otelplat.telemetry

# Answers to probes say nothing that a metric does not say.
drop contains "health-check" if {
	input.signal == "traces"
	input.item.kind == "server"
	is_probe
}

# But a probe that failed is worth its span.
keep contains "error" if input.item.status.code == "error"

is_probe if input.item.attributes["http.route"] in probe_paths

is_probe if input.item.attributes["url.path"] in probe_paths

is_probe if input.item.attributes["rpc.service"] == "grpc.health.v1.Health"

is_probe if startswith(input.item.name, "grpc.health.v1.Health/")

probe_paths := {"/health", "/healthz", "/livez", "/readyz"}

# Numbers of the large card schemes, with or without spaces or hyphens between the
# groups. Sixteen digits of another beginning, a timestamp in microseconds say, are
# left alone.
redact["card-number"] := {
	"action": "mask",
	"fields": ["body", "attributes.*", "events.*", "links.*", "name", "status"],
	"pattern": `\b(?:(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6(?:011|4[4-9][0-9]|5[0-9]{2}))(?:[ -]?[0-9]{4}){3}|3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5})\b`,
}
