# SPDX-License-Identifier: Apache-2.0

# Who may do what with orders. Package guard asks this twice: for the route, and for
# the order itself once the handler has read it.
package shop.orders

default allow := false

# Everybody with a valid token may call the route: which order it is about is not
# known yet.
allow if {
	input.resource.type == "route"
	input.action.name == "GET"
}

# Customers see their own orders, clerks see all.
allow if {
	input.resource.type == "order"
	input.action.name == "read"
	input.resource.properties.owner == input.subject.id
}

allow if {
	input.resource.type == "order"
	input.action.name == "read"
	"clerk" in input.subject.properties.roles
}

# A name in deny forbids, whatever allows. It is what the answer and the event say.
deny contains "order-is-sealed" if {
	input.resource.properties.sealed
	not "auditor" in input.subject.properties.roles
}
