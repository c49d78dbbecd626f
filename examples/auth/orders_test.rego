# SPDX-License-Identifier: Apache-2.0

# An engine runs these before it takes the bundle; if one fails, the bundle before
# stays in force.
package shop.orders_test

import data.shop.orders

test_customers_read_their_own if {
	orders.allow with input as {
		"action": {"name": "read"}, "subject": {"id": "ada", "properties": {"roles": []}},
		"resource": {"type": "order", "properties": {"owner": "ada"}},
	}
}

test_and_nobody_elses if {
	not orders.allow with input as {
		"action": {"name": "read"}, "subject": {"id": "bob", "properties": {"roles": []}},
		"resource": {"type": "order", "properties": {"owner": "ada"}},
	}
}
