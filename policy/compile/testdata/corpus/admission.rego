=== images from one registry
package p
deny contains msg if {
	input.request.kind.kind == "Pod"
	some c in input.request.object.spec.containers
	not startswith(c.image, "registry.local/")
	msg := sprintf("image %v is not ours", [c.image])
}
=== no latest tag
package p
deny contains c.name if { some c in input.spec.containers; endswith(c.image, ":latest") }
deny contains c.name if { some c in input.spec.containers; not contains(c.image, ":") }
=== limits are set
package p
deny contains c.name if { some c in input.spec.containers; not c.resources.limits.memory }
deny contains c.name if { some c in input.spec.containers; c.resources.limits.cpu > 4 }
=== privileged containers
package p
deny contains "privileged" if input.spec.containers[_].securityContext.privileged
deny contains "root" if { some c in input.spec.containers; c.securityContext.runAsUser == 0 }
deny contains "host-network" if input.spec.hostNetwork == true
allow if count(deny) == 0
=== required labels
package p
required := {"app", "team", "env"}
have := {k | some k, _ in input.metadata.labels}
missing := required - have
deny contains m if some m in missing
=== name conventions
package p
deny contains "name" if not regex.match("^[a-z][a-z0-9-]*$", input.metadata.name)
deny contains "long" if count(input.metadata.name) > 10
=== replicas
package p
deny if input.spec.replicas < 2
deny if input.spec.replicas > 10
warn if input.spec.replicas == 2
=== patches
package p
patch contains {"op": "add", "path": "/metadata/labels/team", "value": input.team} if not input.metadata.labels.team
patch contains {"op": "replace", "path": "/spec/replicas", "value": 3} if input.spec.replicas < 3
=== ingress hosts
# data: {"taken": {"a.example.com": "ns1", "b.example.com": "ns2"}}
package p
conflict contains h if { h := input.spec.rules[_].host; data.taken[h] != input.namespace }
wild contains h if { h := input.spec.rules[_].host; startswith(h, "*") }
=== quantities
package p
big if { n := to_number(trim_suffix(input.memory, "Mi")); n > 512 }
=== only some namespaces
package p
exempt if input.namespace in {"kube-system", "ops"}
deny contains "exec" if { input.operation == "CONNECT"; not exempt }
deny contains "delete" if { input.operation == "DELETE"; not exempt; not input.user == "admin" }
=== volumes
package p
allowed := {"configMap", "secret", "emptyDir"}
used contains t if { some v in input.spec.volumes; some t, _ in v; t != "name" }
deny contains t if { some t in used; not t in allowed }
=== annotations compared
package p
changed contains k if { some k, v in input.new.annotations; input.old.annotations[k] != v }
added contains k if { some k, _ in input.new.annotations; not input.old.annotations[k] }
=== destructuring
package p
allow if { [kind, name] := input.pair; kind == "pod"; name != "" }
allow if { {"kind": k, "ok": true} = input.obj; k == "pod" }
allow if { {"kind": k} = input.obj; k == "job" }
first := x if [x, _, _] = input.triple
=== object comprehension
package p
by_name := {c.name: c.image | some c in input.containers}
image := by_name[input.want]
=== sizes of collections
package p
sizes := [count(input.a), count(input.b)]
empty if count(input.a) == 0
