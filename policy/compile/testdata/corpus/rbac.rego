=== roles and permissions in data
# data: {"grants": {"admin": {"read": true, "write": true}, "viewer": {"read": true}, "none": {}}}
package p
default allow := false
allow if {
	some role in input.subject.roles
	data.grants[role][input.action]
}
=== permissions as lists
# data: {"roles": {"admin": ["read", "write", "delete"], "viewer": ["read"]}}
package p
allow if {
	some role in input.roles
	input.action in data.roles[role]
}
=== a rule for each permission
package p
default allow := false
allow if { "admin" in input.roles; input.action == "write" }
allow if { "admin" in input.roles; input.action == "delete" }
allow if { "viewer" in input.roles; input.action == "read" }
allow if { "editor" in input.roles; input.action == "edit" }
allow if { "editor" in input.roles; input.action == "read" }
allow if { "auditor" in input.roles; input.action == "audit" }
=== a helper for a role
package p
default allow := false
allow if is_admin
allow if { is_viewer; input.method == "GET" }
is_admin if "admin" in input.roles
is_viewer if input.roles[_] == "viewer"
=== inherited roles
# data: {"parents": {"admin": ["editor"], "editor": ["viewer"]}, "perms": {"viewer": ["read"], "editor": ["write"], "admin": ["delete"]}}
package p
reach contains r if some r in input.roles
reach contains r if { some c in input.roles; some r in data.parents[c] }
reach contains r if { some c in input.roles; some m in data.parents[c]; some r in data.parents[m] }
allow if { some r in reach; input.action in data.perms[r] }
=== roles by tenant
# data: {"members": {"acme": {"ann": ["admin"], "bob": ["viewer"]}, "zeta": {"ann": ["viewer"]}}}
package p
default allow := false
roles := data.members[input.tenant][input.user]
allow if "admin" in roles
allow if { "viewer" in roles; input.method in {"GET", "HEAD"} }
=== separation of duties
package p
default allow := false
allow if { input.action == "approve"; not creator }
creator if input.doc.creator == input.user
deny contains "two-roles" if { "payer" in input.roles; "approver" in input.roles }
deny contains "self" if { input.action == "approve"; creator }
=== scopes in one text
package p
default allow := false
scopes := split(input.scope, " ")
allow if { input.action == "read"; "orders:read" in scopes }
allow if { input.action == "write"; "orders:write" in scopes }
=== permissions by wildcard
# data: {"perms": {"admin": ["*"], "ops": ["read:*", "restart:svc"], "dev": ["read:svc"]}}
package p
allow if { some r in input.roles; some p in data.perms[r]; glob.match(p, [":"], input.perm) }
=== count of roles
package p
allow if count(input.roles) > 1
deny if count(input.roles) == 0
level := count([r | some r in input.roles; r != "guest"])
=== an object decision
package p
default decision := {"allow": false}
decision := {"allow": true, "by": "admin"} if { "admin" in input.roles; not input.suspended }
decision := {"allow": true, "by": "owner"} if { not "admin" in input.roles; input.owner == input.user }
=== permission table as rules
package p
permissions := {"ann": {"read", "write"}, "bob": {"read"}}
allow if input.action in permissions[input.user]
others contains u if { some u, list in permissions; input.action in list; u != input.user }
=== numbers as roles
package p
allow if 1 in input.roles
allow if { input.roles[_] == 2; input.x }
=== roles as an object
package p
allow if input.roles.admin == true
allow if input.roles[input.want]
list contains k if input.roles[k]
=== every role known
package p
known := {"a", "b", "admin"}
allow if every r in input.roles { r in known }
unknown contains r if { some r in input.roles; not r in known }
=== twenty permissions
package p
default allow := false
allow if { input.perm == "p1"; input.roles[_] == "r1" }
allow if { input.perm == "p2"; input.roles[_] == "r2" }
allow if { input.perm == "p3"; input.roles[_] == "r3" }
allow if { input.perm == "p4"; input.roles[_] == "r1" }
allow if { input.perm == "p5"; input.roles[_] == "r2" }
allow if { input.perm == "p6"; input.roles[_] == "r3" }
allow if { input.perm == "p7"; input.roles[_] == "r1" }
allow if { input.perm == 8; input.roles[_] == "r2" }
allow if { input.perm == 9; input.roles[_] == "r3" }
allow if { input.perm == true; input.roles[_] == "r1" }
allow if { input.perm == null; input.roles[_] == "r2" }
allow if { input.perm in ["p10", "p11", 12]; input.roles[_] == "r3" }
