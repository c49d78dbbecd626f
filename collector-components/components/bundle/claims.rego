# SPDX-License-Identifier: Apache-2.0

# Who may send telemetry as which service, asked for every resource of a request.
# The input is AuthZEN's: subject {type: kind, id: subject, properties {issuer,
# tenant}}, action {name: "send"}, resource {type: "service", id: service.name,
# properties {namespace: service.namespace, tenant: tenant.id}}, of the properties
# those that the resource has.
package otelplat.claims

default allow := false

# A service sends as itself, for its own tenant, and nobody sends as another. An agent
# that vouches for others takes a rule of its own here.
allow if {
	input.action.name == "send"
	input.subject.type == "service"
	input.resource.type == "service"
	input.subject.id == input.resource.id
	own_tenant
}

own_tenant if not input.resource.properties.tenant

own_tenant if input.resource.properties.tenant == input.subject.properties.tenant
