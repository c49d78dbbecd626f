=== all texts in an item
package p
a contains v if { walk(input, [_, v]); is_string(v) }
b if { walk(input.item, [_, v]); v == "secret" }
c if walk(input.item.body, [_, "secret"])
d contains v if walk(input.item.body, [_, v])
e if not holds
holds if walk(input.item.body, [_, "secret"])
f if input.item.body.k[_] == "secret"
g if input.item.name == input.item.body.n
=== paths
package p
shape if { input.item.body.k[_] == "secret"; input.list[_].a == "secret" }
a contains p if walk(input.item, [p, "secret"])
b contains p if { walk(input.item, [p, v]); v == "secret"; count(p) > 1 }
c contains concat(".", p) if { walk(input.item, [p, v]); is_string(v); every k in p { is_string(k) } }
d contains [p, v] if { walk(input.list, [p, v]); p[0] == 1 }
e contains k if { walk(input.item, [p, v]); k := p[count(p) - 1]; v == "secret" }
=== a path of so many keys
package p
shape if { input.item.body.secret; input.item.name; input.list[_][_] == "secret" }
a contains v if walk(input.item, [["body"], v])
b contains v if walk(input.item, [["body", k], v])
c contains k if walk(input.item, [["body", k], "secret"])
d if walk(input.item, [[_, _], "secret"])
e contains v if walk(input.item, [[], v])
f contains [k, v] if walk(input.list, [[k], v])
g contains k if walk(input.list, [[k, k], _])
h contains v if { some k in ["body", "name", 1]; walk(input.item, [[k], v]) }
i contains v if walk(input.list, [[1.0], v])
j contains v if walk(input.list, [[input.x], v])
=== the pair as a whole
package p
a contains x if walk(input.item, x)
b contains x[1] if { walk(input.list, x); x[0] == [1] }
c if { x := [["body"], "secret"]; walk(input.item, x) }
d contains x if { walk({"k": input.x}, x) }
=== what is made
package p
a contains v if walk({"v": input.x, "w": [input.y]}, [["w", _], v])
b contains v if walk({input.x, [input.y]}, [_, v])
c contains p if walk({input.x, [input.y]}, [p, "secret"])
d contains p if walk({"a": {"b": {1, 2}}}, [p, 2])
e := [v | walk(input.item, [_, v]); is_string(v)]
f := [p | walk(input.item, [p, _])]
g := {k: v | walk(input.item, [[k], v])}
h := count({v | walk(input.item, [_, v])})
=== in helpers
package p
texts(x) := {v | walk(x, [_, v]); is_string(v)}
a := texts(input.item)
b if "secret" in texts(input.item)
c contains v if { some v in texts(input.list); v != input.x }
d if every v in texts(input.item) { v != "secret" }
e := v if walk(input.item, [["body"], v]) else := "none"
=== several values
package p
a := v if walk(input.item, [_, v])
b := p if { walk(input.item, [p, v]); v == "secret" }
c[p] := v if { walk(input.item, [p, v]); is_string(v) }
d[v] := p if { walk(input.item, [p, v]); is_string(v) }
=== with what can fail
package p
a contains n if { walk(input.list, [_, v]); n := to_number(v) }
b contains n if { walk(input.item, [_, v]); is_number(v); n := 10 / v }
c if { walk(input.item, [["x"], v]); v > input.x; to_number(input.y) > 1 }
=== interpolated
package p
a := $"user {input.user.name} may not {input.action}"
b := $"{input.x}"
c := $""
d := $"{input.x}{input.y}{input.x}"
e contains $"user {input.user.name}" if input.x
f if $"{input.x}" == "1"
g if $"took {input.x} ms" == "took 5 ms"
h := $"{1} {1.0} {null} {true} {"a"} \{x}"
i contains $"{v} of {input.x}" if some v in input.list
=== interpolated collections
package p
a := $"{input.list} and {input.user}"
b := $"{[input.x, input.y]}"
c := $"{{input.x, 1}}"
d := $"{{"k": input.x}}"
e := $"{{v | some v in input.list}}"
f := $"{count(input.list)} of {input.x + 1}"
=== interpolated in each other
package p
a := $"<{$"[{input.x}]"}>"
b := x if { y := $"{input.x}-"; x := $"{y}{y}" }
name(x) := $"name {x.name}"
c := name(input.user)
d := $"{name(input.user)}!"
e if startswith($"{input.x}/{input.y}", "1/")
f := $"{sprintf("%v", [input.x])}"
=== interpolated rules
package p
default known := "nobody"
known := input.user.name
maybe := input.x if input.y
set contains v if some v in input.list
a := $"{known} {maybe}"
b := $"{set}"
c := $"{maybe}" if not input.list
d contains v if { walk(input, [_, x]); v := $"{x}" }
e := [$"{i}={v}" | some i, v in input.list]
=== interpolated with what can fail
package p
a := $"{to_number(input.x)}"
b := $"{10 / input.x} {input.y}"
c contains $"{n}" if { some v in input.list; n := to_number(v) }
d := $"{first}"
first := v if some v in input.list
e := $"{maybe}"
maybe := 1 if input.x == 1
maybe := 2 if input.y == 2
=== calls of the builtin that interpolation is
package p
a if { s := {input.x}; y := internal.template_string([s]); s == {7}; y != "" }
b := [c, t] if { s := {input.x}; c := count(s); t := internal.template_string([s]) }
c := [s, t] if { s := {v | some v in input.list}; t := internal.template_string(["of ", s]) }
d if { owners := {input.owner}; not input.user in owners; internal.template_string(["owners ", owners]) != "" }
e := internal.template_string([input.x, input.list])
f := internal.template_string([{input.x, input.y}])
g := internal.template_string(input.list)
h := internal.template_string(["a", 1, true, null, {1, 2}])
i := internal.template_string([[1]])
