# SPDX-License-Identifier: Apache-2.0

package otelplat.telemetry_test

import data.otelplat.telemetry

span(item) := {"signal": "traces", "resource": {"attributes": {}}, "scope": {}, "item": item}

server(attributes) := span({"name": "GET", "kind": "server", "status": {"code": "unset"}, "attributes": attributes})

test_probes_are_dropped if {
	telemetry.drop == {"health-check"} with input as server({"http.route": "/healthz"})
	telemetry.drop == {"health-check"} with input as server({"url.path": "/readyz"})
	telemetry.drop == {"health-check"} with input as server({"rpc.service": "grpc.health.v1.Health"})
	telemetry.drop == {"health-check"} with input as span({
		"name": "grpc.health.v1.Health/Check", "kind": "server",
		"status": {"code": "ok"}, "attributes": {},
	})
}

test_requests_are_not if {
	telemetry.drop == set() with input as server({"http.route": "/orders/{id}"})
	telemetry.drop == set() with input as server({})
}

test_the_client_of_a_probe_is_not if {
	telemetry.drop == set() with input as span({
		"name": "GET", "kind": "client",
		"status": {"code": "unset"}, "attributes": {"url.path": "/healthz"},
	})
}

test_a_failed_probe_is_kept if {
	telemetry.keep == {"error"} with input as span({
		"name": "GET", "kind": "server",
		"status": {"code": "error"}, "attributes": {"url.path": "/healthz"},
	})
}

test_card_numbers_are_found if {
	pattern := telemetry.redact["card-number"].pattern
	every number in ["4111 1111 1111 1111", "4111111111111111", "5500-0000-0000-0004", "2221000000000009", "6011000000000004", "378282246310005"] {
		regex.match(pattern, sprintf("paid with %s today", [number]))
	}
}

test_other_numbers_are_not if {
	pattern := telemetry.redact["card-number"].pattern
	every number in ["1790000000000000", "1790000000000000000", "41111111111111112", "4111", "12345678"] {
		not regex.match(pattern, sprintf("at %s", [number]))
	}
}
