=== owner edges in data
# data: {"owners": {"doc1": "ann", "doc2": "bob"}, "editors": {"doc1": ["bob", "cid"], "doc2": []}}
package p
default allow := false
allow if data.owners[input.doc] == input.user
allow if { input.action == "edit"; input.user in data.editors[input.doc] }
=== folders above
# data: {"parent": {"d1": "f1", "f1": "f2", "f2": "root"}, "viewers": {"root": ["ann"], "f2": ["bob"], "f1": ["cid"], "d1": ["dan"]}}
package p
above contains input.doc
above contains a if a := data.parent[input.doc]
above contains b if { a := data.parent[input.doc]; b := data.parent[a] }
above contains c if { a := data.parent[input.doc]; b := data.parent[a]; c := data.parent[b] }
allow if { some f in above; input.user in data.viewers[f] }
=== teams
# data: {"teams": {"core": {"members": ["ann", "bob"], "repos": {"api": "write", "web": "read"}}, "ops": {"members": ["cid"], "repos": {"api": "read"}}}}
package p
levels contains l if { some t; data.teams[t].members[_] == input.user; l := data.teams[t].repos[input.repo] }
allow if { input.action == "push"; "write" in levels }
allow if { input.action == "pull"; count(levels) > 0 }
=== tuples
# data: {"tuples": [{"o": "d1", "r": "owner", "u": "ann"}, {"o": "d1", "r": "viewer", "u": "bob"}, {"o": "d2", "r": "viewer", "u": "ann"}]}
package p
allow if { some t in data.tuples; t.o == input.o; t.r == input.r; t.u == input.u }
implied := {"viewer": ["owner"], "editor": ["owner"]}
allow if { some r in implied[input.r]; some t in data.tuples; t.o == input.o; t.r == r; t.u == input.u }
=== graph reachable
# data: {"graph": {"ann": ["team1"], "team1": ["org1"], "bob": [], "org1": []}}
package p
allow if { reach := graph.reachable(data.graph, {input.user}); input.group in reach }
=== managers
# data: {"reports": {"ann": "bob", "bob": "cid"}}
package p
default allow := false
allow if input.user == input.subject
allow if data.reports[input.subject] == input.user
allow if data.reports[data.reports[input.subject]] == input.user
=== shared with a group in the request
package p
allow if { some g in input.user.groups; g in input.doc.shared }
allow if { some g in input.user.groups; input.doc.acl[g][_] == input.action }
common := {g | some g in input.user.groups; some h in input.doc.shared; g == h}
=== intersections
package p
mine := {g | some g in input.groups}
theirs := {g | some g in input.shared}
allow if count(mine & theirs) > 0
only := mine - theirs
both := mine | theirs
=== deny lists before relations
# data: {"blocked": ["eve", "mal"], "friends": {"ann": ["bob"], "bob": ["ann", "cid"]}}
package p
default allow := false
allow if { not input.user in data.blocked; input.user in data.friends[input.owner] }
=== data by index
# data: {"list": ["zero", "one", {"k": "two"}], "m": {"0": "text zero", "1": "text one"}}
package p
a := data.list[input.i]
b := data.m[input.i]
c := data.list[2].k
d contains i if { some i; data.list[i] == input.v }
=== data that is iterated
# data: {"users": {"ann": {"age": 30, "tags": ["a", "b"]}, "bob": {"age": 20, "tags": []}, "cid": {"age": 40, "tags": ["b"]}}}
package p
older contains n if { some n, u in data.users; u.age > input.age }
tagged contains n if { some n; data.users[n].tags[_] == input.tag }
names := [n | some n, u in data.users; u.age >= input.age]
=== a chain of helpers
package p
default allow := false
allow if level2
level2 if { level1; input.b == "x" }
level1 if { level0; input.c == "y" }
level0 if input.d
