=== networks
package p
default allow := false
allow if net.cidr_contains("10.0.0.0/8", input.ip)
allow if { input.port == 443; net.cidr_contains("192.168.0.0/16", input.ip) }
=== networks in data
# data: {"nets": ["10.1.0.0/16", "172.16.0.0/12"]}
package p
allow if { some n in data.nets; net.cidr_contains(n, input.ip) }
=== port ranges
package p
open if { input.port >= 1024; input.port <= 65535 }
web if input.port in [80, 443, 8080]
deny contains "privileged" if input.port < 1024
deny contains "unknown-protocol" if not input.proto in {"tcp", "udp"}
=== flows
package p
default allow := false
allow if { input.src.zone == "dmz"; input.dst.zone == "web"; input.dst.port == 80 }
allow if { input.src.zone == "web"; input.dst.zone == "db"; input.dst.port == 5432 }
allow if { input.src.zone == input.dst.zone; input.src.zone != "db" }
=== header rules
package p
allow if input.headers["x-api-key"] == "k1"
allow if { some h in input.headers.accept; h == "text/html" }
bad contains k if { some k, _ in input.headers; startswith(k, "x-evil") }
=== mesh authorization
package p
default allow := false
source := trim_prefix(input.principal, "spiffe://mesh/ns/")
allow if { source == "shop/sa/orders"; input.method == "POST"; startswith(input.path, "/reserve") }
allow if { source == "shop/sa/web"; input.method in ["GET", "HEAD"] }
=== rate classes
package p
default class := "slow"
class := "fast" if input.plan == "gold"
class := "fast" if input.internal == true
class := "blocked" if input.plan == "none"
=== ports as keys
package p
names := {22: "ssh", 80: "http", 443: "https"}
name := names[input.port]
known if names[input.port]
=== hosts of a list of objects
# data: {"services": [{"name": "a", "hosts": ["h1", "h2"], "port": 1}, {"name": "b", "hosts": ["h2"], "port": 2}]}
package p
found contains s.name if { some s in data.services; input.host in s.hosts }
port := s.port if { some s in data.services; s.name == input.name }
=== methods by path
# data: {"routes": {"/a": {"GET": ["user", "admin"], "POST": ["admin"]}, "/b": {"GET": ["admin"]}}}
package p
default allow := false
allow if data.routes[input.path][input.method][_] == input.role
