# SPDX-License-Identifier: Apache-2.0

package shop.orders

default allow := false

# Every customer may call; what of, the object decides.
allow if {
	input.subject.type == "user"
	input.resource.type == "rpc"
}

allow if {
	input.resource.type == "order"
	input.action.name in {"read", "cancel"}
}

# An order is its owner's alone, whatever else a customer may do.
deny contains "not-the-owner" if {
	input.resource.type == "order"
	not is_owner
}

is_owner if input.resource.properties.owner == input.subject.id
