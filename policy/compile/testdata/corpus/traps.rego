=== hoisted out of not
# data: {"m": {"a": 1, "b": false}}
package p
f(x) if x == "a"
a if not data.m[input.x]
b if not f(input.x)
c if { x := input.x; x == x }
d if { y := input.y; not data.m[y] }
=== conflicts by order
package p
g(x) := 1 if x == "a"
g(x) := 2 if x != "b"
allow if g(input.x) == 1
allow if input.y == 1
=== conflicts the other way round
package p
g(x) := 1 if x == "a"
g(x) := 2 if x != "b"
allow if input.y == 1
allow if g(input.x) == 1
=== partial object asked for one key
package p
obj["a"] := v if v := input.a
obj["b"] := 1 if input.b
obj["b"] := 2 if input.c
allow if obj.a == 1
all := obj
=== total order across types
package p
a if input.x > 5
b if input.x >= 500
c if null < input.x
d if input.x < "a"
e if input.x <= [1]
f if input.x > {"a": 1}
g if input.x > true
h if input.x > 5.5
i if input.x > 5
j if input.x > "b"
=== objects in key order
package p
values := [v | some v in input.o]
ks := [k | some k, _ in input.o]
pairs := [[k, v] | some k, v in input.o]
=== every of what is no collection
package p
a if every x in input.l { x > 0 }
b if every k, v in input.l { k != v }
c if not a
=== solutions that must agree
package p
v := x if x := input.l[_]
w := {"x": x} if x := input.l[_]
=== errors within not
package p
a if not to_number(input.x) > 3
b if not bad
bad if to_number(input.x) > 3
c if to_number(input.x) == 1
=== in and index on objects
package p
a if 1 in input.x
b if input.x[_] == 1
c if input.x[1] == 1
d if input.x["1"] == 1
e if input.x[0]
n := count([v | v := input.x[_]])
=== duplicates
package p
l := [x | some x in input.l]
s := {x | some x in input.l}
n := count(l) - count(s)
m := count(s)
=== dots and newlines
package p
a if regex.match("^a.b$", input.x)
b if regex.match("a$", input.x)
c if regex.match("^a", input.x)
d if regex.match("(?s)^a.b$", input.x)
e if regex.match("(?m)^b$", input.x)
=== infinite numbers
package p
a if input.x == 1
b if input.x > 5
c if input.x in {1, 2}
d := {1: "one"}[input.x]
e if input.x == input.y
s contains input.x
s contains input.y
=== big integers
package p
a if input.x == 9223372036854775807
b if input.x > 9223372036854775806
c := input.x + 1
d := input.x * 3
e := -input.x
=== text of numbers
package p
a := input.x
b := [input.x, 1.0, 1e2]
c := sprintf("%v", [input.x])
d := {input.x, 1}
e := format_int(input.x, 10)
=== with
package p
a if b with input.x as 1
b if input.x == 1
c if { input.x == 1; b with input as {"x": 1} }
=== walk
package p
a contains v if { walk(input, [_, v]); is_string(v) }
=== rules below rules
package p
a.b := 1 if input.x == 1
a.c := 2 if input.x
d := a.b
e := a[input.k]
=== else with errors
package p
a := 1 if to_number(input.x) == 1 else := 2 if input.y == "b" else := 3
b := 1 if input.x == "a" else := 2 if to_number(input.y) > 1
=== null and absent
package p
a if input.x == null
b if input.x != null
c if not input.x
d if is_null(input.x)
e := object.get(input, "x", "absent")
=== wildcards twice
package p
a if input.a[_] == input.b[_]
b if { some i; input.a[i] == input.b[i] }
c if { some i, j; input.a[i] == input.b[j]; i != j }
d contains [i, j] if { some i, j; input.a[i] == input.b[j] }
=== nested comprehensions
package p
a := [[y | some y in x; y != 1] | some x in input.l]
b := {k: [x | some x in v] | some k, v in input.o}
c := count([x | some x in [y | some y in input.l; y]])
=== sets of composites
package p
s contains [input.a, input.b]
s contains {"a": input.a}
has if s[[1, 2]]
n := count(s)
=== the same variable twice
package p
a if { [x, x] = input.pair }
b if { {"l": x, "r": x} = input.obj }
f(x, x) := "same"
f(x, y) := "other" if x != y
c := f(input.a, input.b)
=== membership with keys
package p
a if 0, "x" in input.l
b if "k", "v" in input.o
c if { some i, "x" in input.l; i > 0 }
=== a rule that is a set asked with a value
package p
roles contains "a" if input.a
roles contains "b" if input.b
roles contains input.c
a if roles.a
b if roles[input.want]
c if "a" in roles
d if not roles[input.want]
n := count(roles)
=== negation of a compound
package p
a if not { input.x == 1 } == { input.y == 1 }
b if not (input.x == 1) == (input.y == 1)
c := x if x := input.a == input.b
d := x if x := input.a > input.b
=== constants that never hold
package p
a if 1 == 2
a if input.x == "y"
b if { false; input.x }
c if { input.x; true }
d := "x" if "a" in {"a", "b"}
=== numbers as text
package p
a if input.x == "1"
b if to_number(input.x) == 1
c if input.x == 1
d := to_number(input.x)
=== deep references
package p
a if input.a[0].b[1] == "x"
b if input.a[_].b[_] == "x"
c := input.a[i].b[j] if { i := 0; j := 1 }
d if input.a[input.i].b == "x"
=== keys that are not text
package p
a if input.o["a b"] == 1
b if input.o[""] == 1
c if input.o["é"] == 1
d := input.o[input.k]
=== guards of builtins
package p
allow if { startswith(input.x, "a"); input.y == 1 }
allow if { input.y == 2; endswith(input.x, "b") }
allow if { input.y == 3; lower(input.x) == "c" }
allow if { input.y == 4; count(input.x) == 1 }
allow if { input.y == 5; is_string(input.x) }
=== exclusive values
package p
kind := "a" if input.t == "x"
kind := "b" if input.t == "y"
kind := "c" if input.t == "z"
kind := "c" if input.t in {"u", "v"}
allow if kind == "a"
allow if { kind == "b"; input.n > 1 }
