=== limits by name
package p
limits.orders := 5
limits.users := 10 if input.big
limits["GET /x"] := input.max
a if limits[input.service] < input.size
b := limits[input.service]
c contains k if limits[k] == input.size
d contains [k, v] if some k, v in limits
e contains k if { some k in input.list; limits[k] }
f := [k | limits[k]]
g if limits[_] == input.size
h if not limits[input.service]
i := {k: v | v := limits[k]}
whole := limits
over if object.get(limits, input.service, 3) < input.size
each contains v if some v in limits
number := count(limits)
same if limits == {"GET /x": 7, "orders": 5}
among if input.size in limits
list := [limits, limits.orders]
=== tables by name
package p
tables.read := {"ann": true, "bob": false}
tables.write := {"ann": input.x}
tables.list contains x if some x in input.list
a if tables[input.action][input.user]
b contains [t, u] if tables[t][u]
c contains v if v := tables[_][_]
d if tables[input.action].ann == input.x
=== rules of another package
package p
a := data.p.kinds[input.kind]
kinds.a if input.x == 1
kinds.b if input.y
default kinds.c := false
kinds.c if input.x
b contains k if data.p.kinds[k]
c if every k in input.list { data.p.kinds[k] }
=== named with what can fail
package p
n.a := to_number(input.x)
n.b := 1 / input.y
n.c := 3
a := n[input.k]
b contains k if n[k] > 1
m.a := 1 if input.x
m.a := 2 if input.y
m.b := 7
c := m[input.k]
e := m
f := count(n)
d contains k if m[k]
=== deeper names
package p
t.a.x := 1
t.a.y := 2 if input.x
t.b := 3
a := t[input.k]
b := t[input.k][input.l]
c := t.a[input.k]
e := t.a
f := t
d contains k if t[k]
