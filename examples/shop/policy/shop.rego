# SPDX-License-Identifier: Apache-2.0

# Who may call which service of the shop: one package a service, asked for every
# request by the service's guard.
package shop.storefront

default allow := false

# Customers buy; services do not.
allow if input.subject.type == "user"
