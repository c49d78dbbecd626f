=== allow-list of paths
package p
default allow := false
allow if input.path in {"/health", "/ready", "/metrics", "/version"}
allow if { input.path == "/admin"; input.user == "root" }
=== path prefixes
package p
default allow := false
allow if { startswith(input.path, "/public/"); input.method == "GET" }
allow if { startswith(input.path, "/api/v1/"); input.role == "user" }
allow if { startswith(input.path, "/api/"); input.role == "admin" }
allow if { startswith(input.path, "/api/v1/internal/"); input.role == "service" }
allow if { startswith(input.path, ""); input.role == "root" }
allow if { startswith(input.path, "/api/v2"); input.role == "user" }
=== suffixes and parts
package p
block if endswith(input.file, ".exe")
block if contains(input.file, "..")
block if endswith(input.file, ".bat")
ok if not block
=== regular expressions
package p
a if regex.match("^/users/[0-9]+$", input.path)
b if regex.match("^admin", input.user)
c if regex.match("^exact$", input.user)
d if regex.match("a.b", input.user)
e if regex.match("(?i)^get", input.method)
f if regex.match("^$", input.user)
g if regex.match("x$", input.user)
=== globs
package p
a if glob.match("*.example.com", ["."], input.host)
b if glob.match("*.example.com", [], input.host)
c if glob.match("*.example.com", null, input.host)
d if glob.match("www.example.com", ["."], input.host)
e if glob.match("{www,api}.*", ["."], input.host)
=== a list in data
# data: {"allowed": ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", 1, 2.5, null]}
package p
allow if input.x in data.allowed
deny if not input.x in data.allowed
=== an object as a list
# data: {"allowed": {"x": "a", "y": "b", "z": 3}}
package p
allow if input.v in data.allowed
allow if data.allowed[input.k]
pair if input.k, input.v in data.allowed
=== case does not matter
package p
allow if lower(input.method) == "get"
allow if upper(input.method) == "HEAD"
allow if trim_space(input.user) == "root"
=== hosts and ports
package p
parts := split(input.host, ":")
allow if { parts[0] == "db"; parts[1] == "5432" }
n := count(parts)
=== lists of objects
package p
allow if { some r in input.rules; r.path == input.path; r.effect == "allow" }
denied if { some r in input.rules; r.path == input.path; r.effect == "deny" }
first := r.id if { r := input.rules[0]; r.path == input.path }
=== any and every of a list
package p
all_small if every x in input.list { x < 10 }
any_big if { some x in input.list; x > 100 }
none if not any_big
kinds := {type_name(x) | some x in input.list}
=== text functions
package p
a := concat("-", ["x", input.a])
b := replace(input.a, "x", "y")
c := sprintf("%v/%v", [input.a, input.b])
d := trim_prefix(input.a, "ab")
e := trim_suffix(input.a, "yz")
f := substring(input.a, 0, 2)
g := indexof(input.a, "b")
h := count(input.a)
=== quotas
# data: {"quota": {"free": 10, "pro": 100}}
package p
default allow := false
allow if input.used < data.quota[input.plan]
left := data.quota[input.plan] - input.used
=== unicode
package p
allow if input.name == "Zoë"
allow if startswith(input.name, "日本")
allow if input.name == "\u00e9"
n := count(input.name)
=== thirty paths
package p
hit contains "a" if startswith(input.path, "/a")
hit contains "ab" if startswith(input.path, "/a/b")
hit contains "abc" if startswith(input.path, "/a/b/c")
hit contains "abd" if startswith(input.path, "/a/b/d")
hit contains "b" if startswith(input.path, "/b")
hit contains "bb" if startswith(input.path, "/bb")
hit contains "empty" if startswith(input.path, "")
hit contains "slash" if startswith(input.path, "/")
hit contains "c" if startswith(input.path, "c")
=== strings with any prefix
package p
allow if strings.any_prefix_match(input.path, ["/a", "/b/c"])
allow if strings.any_suffix_match(input.path, {".js", ".css"})
=== many parts of a text
package p
hit contains "a" if contains(input.s, "a")
hit contains "ab" if contains(input.s, "ab")
hit contains "aba" if contains(input.s, "aba")
hit contains "bab" if contains(input.s, "bab")
hit contains "b" if { contains(input.s, "b"); input.x }
hit contains "empty" if contains(input.s, "")
hit contains "long" if contains(input.s, "abababx")
hit contains "é" if contains(input.s, "é")
end contains "a" if endswith(input.s, "a")
end contains "ba" if endswith(input.s, "ba")
end contains "aba" if endswith(input.s, "aba")
end contains "x" if endswith(input.s, "x")
end contains "empty" if endswith(input.s, "")
end contains "xa" if { endswith(input.s, "xa"); input.x == 1 }
