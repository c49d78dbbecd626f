# SPDX-License-Identifier: Apache-2.0

package shop_test

import data.shop

customer(name) := {"type": "user", "id": name}

order(owner) := {"type": "order", "id": "1", "properties": {"owner": owner}}

test_customers_come_in_at_the_storefront if {
	shop.storefront.allow with input as {"subject": customer("alice")}
	not shop.storefront.allow with input as {"subject": {"type": "service", "id": "orders"}}
}

test_an_owner_cancels if {
	request := {"subject": customer("alice"), "action": {"name": "cancel"}, "resource": order("alice")}
	shop.orders.allow with input as request
	count(shop.orders.deny) == 0 with input as request
}

test_another_customer_does_not if {
	"not-the-owner" in shop.orders.deny with input as {"subject": customer("bob"), "action": {"name": "cancel"}, "resource": order("alice")}
}

test_an_order_without_owner_is_nobodys if {
	"not-the-owner" in shop.orders.deny with input as {"subject": customer("bob"), "action": {"name": "cancel"}, "resource": {"type": "order", "id": "1"}}
}

test_only_services_reserve if {
	reserve := {"type": "rpc", "id": "/shop.v1.Inventory/Reserve"}
	shop.inventory.allow with input as {"subject": {"type": "service", "id": "orders"}, "resource": reserve}
	not shop.inventory.allow with input as {"subject": customer("alice"), "resource": reserve}
}
