=== owner and tenant
package p
default allow := false
allow if {
	input.resource.type == "order"
	input.subject.tenant == input.resource.tenant
	input.resource.owner == input.subject.id
}
=== by type and action
package p
default allow := false
allow if { input.type == "order"; input.action == "read"; input.tenant == input.res.tenant }
allow if { input.type == "order"; input.action == "cancel"; input.owner == input.user }
allow if { input.type == "invoice"; input.action == "read"; input.clearance >= 3 }
allow if { input.type == "invoice"; input.action == "pay"; input.clearance >= 5; input.amount <= 1000 }
allow if { input.type == "report"; input.action == "read"; not input.secret }
=== clearance thresholds
package p
level contains 1 if input.clearance > 1
level contains 2 if input.clearance >= 2
level contains 3 if input.clearance > 2.5
level contains 4 if input.clearance < 10
level contains 5 if input.clearance <= 5
level contains 6 if input.clearance > "a"
level contains 7 if input.clearance < null
level contains 8 if 3 < input.clearance
level contains 9 if 4 >= input.clearance
=== between two numbers
package p
default allow := false
allow if { input.hour >= 8; input.hour < 18; input.day in {"mon", "tue", "wed"} }
allow if input.oncall == true
=== not on an optional field
package p
allow if { input.user; not input.user.blocked }
deny if not input.user.active
=== not equal on an optional field
package p
a if not input.x == 1
b if not input.x != 1
c if not startswith(input.x, "a")
d if input.x != 1
e if not input.x > 3
=== departments in data
# data: {"departments": {"sales": {"regions": ["eu", "us"], "limit": 100}, "it": {"regions": ["eu"], "limit": 10}}}
package p
default allow := false
allow if {
	d := data.departments[input.department]
	input.region in d.regions
	input.amount <= d.limit
}
reason := "limit" if input.amount > data.departments[input.department].limit
=== properties of several levels
package p
allow if { input.a.b.c.d == "x"; input.a.b.e != input.a.f }
allow if input.a.b.c.d == input.a.f
deep := input.a.b.c
=== else in order
package p
level := "high" if input.score > 80 else := "mid" if input.score > 50 else := "low" if input.score > 10
grade := 1 if input.score == "a" else := 2
=== functions of attributes
package p
default allow := false
same_tenant(a, b) if a.tenant == b.tenant
allow if same_tenant(input.subject, input.resource)
rank("gold") := 3
rank("silver") := 2
rank(x) := 1 if { x != "gold"; x != "silver" }
allow if rank(input.subject.status) > 1
=== functions with a default
package p
default weight(_) := 0
weight(x) := 5 if x == "big"
weight(x) := x if is_number(x)
total := weight(input.a) + weight(input.b)
=== object get
package p
allow if object.get(input.user, "level", 0) > 2
allow if object.get(input, ["a", "b"], "none") == "yes"
=== labels must match
package p
default allow := false
allow if every k, v in input.selector { input.labels[k] == v }
missing contains k if { some k, _ in input.selector; not input.labels[k] }
=== equality of collections
package p
allow if input.a == [1, 2, "x"]
allow if input.b == {"k": 1, "l": [true]}
same if input.a == input.b
=== equality across numbers
package p
a if input.x == 1
b if input.x == 1.0
c if input.x == 0.1
d if input.x == 9007199254740993
e if input.x == 1e3
f if input.x == -0
g if input.x == 100000000000000000000
h if input.x == 9223372036854775807
=== arithmetic
package p
allow if input.a + input.b > 10
twice := input.a * 2
less := input.a - input.b
part := input.a / input.b
rest := input.a % input.b
=== one value from several bodies
package p
v := 1 if input.a == "x"
v := 1 if input.b == "x"
w := 1 if input.a == "x"
w := 2 if input.b == "x"
w := 3 if input.c == "x"
=== a value that is computed
package p
v := x if { some x in input.list; x > 2 }
w := input.a if input.a
w := input.b if input.b
=== true and false
package p
a := input.x
b if input.x
c if not input.x
d if input.x == false
e := false if input.y
f if e == false
g if not e
=== dates as text
package p
allow if { input.from <= input.now; input.now < input.until }
old if input.now < "2024-01-01"
