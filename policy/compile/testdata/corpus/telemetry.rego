=== drop health checks
package p
drop contains "health" if input.attributes["http.route"] == "/healthz"
drop contains "ready" if input.attributes["http.route"] in {"/readyz", "/livez"}
drop contains "static" if startswith(input.attributes["url.path"], "/static/")
drop contains "options" if input.attributes["http.request.method"] == "OPTIONS"
=== keep errors
package p
default keep := false
keep if input.status.code == "ERROR"
keep if input.attributes["http.response.status_code"] >= 500
keep if input.duration_ms > 1000
=== redact
package p
redact contains k if { some k, _ in input.attributes; k in {"user.email", "user.name", "enduser.id"} }
redact contains k if { some k, _ in input.attributes; startswith(k, "http.request.header.authorization") }
redact contains k if { some k, v in input.attributes; regex.match("^[0-9]{13,16}$", v) }
=== sample by service
# data: {"rates": {"orders": 10, "web": 1}}
package p
default rate := 5
rate := data.rates[input.resource["service.name"]]
=== route by tenant
package p
route := "eu" if input.resource["tenant.region"] == "eu"
route := "us" if input.resource["tenant.region"] == "us"
=== severity
package p
drop if { input.severity_number < 9; input.resource["deployment.environment"] == "prod" }
alert if input.severity_number >= 17
=== metric names
package p
drop contains input.name if startswith(input.name, "go_")
drop contains input.name if input.name in {"up", "scrape_duration_seconds"}
drop contains input.name if contains(input.name, "debug")
high contains k if { some k, v in input.labels; count(v) > 20 }
=== budget
# data: {"limits": {"orders": 100, "web": 50}}
package p
over if input.series > data.limits[input.service]
unknown if not data.limits[input.service]
=== many attribute rules
package p
drop contains "1" if { input.attributes.a == 1; input.attributes.b == "x" }
drop contains "2" if { input.attributes.a == 2; input.attributes.c == "x" }
drop contains "3" if { input.attributes.a == 3; input.attributes.d }
drop contains "4" if input.attributes.e == true
drop contains "5" if input.attributes.f != "y"
drop contains "6" if not input.attributes.g
drop contains "7" if { input.attributes.h > 10; input.attributes.h < 20 }
drop contains "8" if { input.attributes.i >= 1.5; input.kind == "span" }
drop contains "9" if { input.attributes.j == input.attributes.k }
drop contains "10" if { some v in input.attributes.l; v == "z" }
=== claims check
package p
default allow := false
allow if input.resource["service.name"] == input.principal.subject
allow if { "agent" in input.principal.roles; input.resource["service.namespace"] == input.principal.tenant }
=== events by name
package p
keep if startswith(input.event_name, "otelplat.")
keep if { input.event_name == "order.paid"; input.attributes.amount > 100 }
drop if not keep
=== status by text and number
package p
bad if input.code == "ERROR"
bad if input.code == 2
bad if input.code in [13, "13", null]
