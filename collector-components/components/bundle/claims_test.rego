# SPDX-License-Identifier: Apache-2.0

package otelplat.claims_test

import data.otelplat.claims

sends(kind, subject, service) := {
	"subject": {"type": kind, "id": subject},
	"action": {"name": "send"},
	"resource": {"type": "service", "id": service},
}

test_a_service_sends_as_itself if {
	claims.allow with input as sends("service", "orders", "orders")
}

test_a_service_does_not_send_as_another if {
	not claims.allow with input as sends("service", "orders", "inventory")
	not claims.allow with input as sends("service", "orders", "")
}

test_a_user_sends_nothing if {
	not claims.allow with input as sends("user", "orders", "orders")
}

test_only_sending_is_allowed if {
	not claims.allow with input as object.union(sends("service", "orders", "orders"), {"action": {"name": "delete"}})
}

of_tenant(mine, claimed) := {
	"subject": {"type": "service", "id": "orders", "properties": {"tenant": mine}},
	"action": {"name": "send"},
	"resource": {"type": "service", "id": "orders", "properties": {"tenant": claimed}},
}

test_a_service_sends_for_its_own_tenant if {
	claims.allow with input as of_tenant("acme", "acme")
	not claims.allow with input as of_tenant("acme", "evil")
	not claims.allow with input as sends_for_a_tenant_without_one
}

sends_for_a_tenant_without_one := object.union(sends("service", "orders", "orders"), {"resource": {"properties": {"tenant": "evil"}}})
