// SPDX-License-Identifier: Apache-2.0

// Package rules is the routing document of a service: which policy chooses its instances,
// what a request may cost, and which requests go to which variant.
//
// The document is config/route.<service>, YAML or JSON, every part of it optional. These are
// all settings, with the values that hold where it does not say more; the sources of the
// values are in the fields' documentation.
//
//	policy:
//	  name: adaptive          # or prequal, round_robin, least_request, p2c_ewma, weighted,
//	                          # consistent_hash, or one of the program's own
//	  probes: 2               # instances asked for their load for each request, at most; 0 none
//	  probes_per_second: 50   # of one router to this service
//	  load_factor: 1.25       # consistent_hash: an instance's load to the mean's, at most
//	  # hash: {header: x-user}  # consistent_hash: one of header, cookie, claim, path: true
//	zone: {prefer: true}      # the caller's own first; what it cannot take spills over
//	subset: {enabled: false, min: 12}  # one router knows a part of the instances
//	slow_start: 30s           # a new instance's traffic grows so long; 0s at once
//	panic: 0.5                # with less of the instances left in rotation, all are used
//	ejection:
//	  mode: act               # or observe, which only tells, or off
//	  base: 30s               # of the hold, longer each time
//	  share: 0.5              # of the instances that may be out
//	  consecutive: 5          # failures in a row, or
//	  ratio: 0.5              # this part of at least
//	  requests: 10            # so many requests of 10 s, or
//	  success_rate_stdev: 1.9 # so far below the mean of the instances; 0 never, or
//	  latency_factor: 0       # so many times the median latency; 0 never
//	failure:                  # what counts against an instance
//	  http: [5xx]             # 503, 5xx, 500-504
//	  grpc: [UNKNOWN, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS]
//	  # header: x-error-class   # a response header, or trailer, that names an error class,
//	  # classes: [overloaded]   # and those that count whatever the status
//	timeout: 0s               # of a request with all its attempts; 0s: the caller's deadline
//	retry:
//	  attempts: 2             # in all, at most 5; 1 retries nothing
//	  per_try_timeout: 0s     # of each attempt; 0s: only the whole is bounded
//	  on: [refused, unavailable]  # or timeout, failure, one of failure.classes
//	  methods: [GET, HEAD, OPTIONS, TRACE, PUT, DELETE]  # and gRPC's: /service/method, /service/
//	  budget: 0.2             # retries and hedges to requests, of all routes together,
//	  min: 3                  # and so many more
//	# hedge: {after: 0.95, max: 1}  # a second attempt after this quantile of latency; the
//	                          # section turns it on, max: 0 off
//	breaker:
//	  mode: act               # or observe, or off
//	  ratio: 0.5              # failures to requests
//	  requests: 20            # that it needs
//
// # Routes
//
// Variants are parts of the service, routes say which requests go there. They are tried in
// order, and the first that matches a request and takes it decides. What no route takes goes
// to all instances.
//
//	variants:
//	  stable: {version: 1.4.0}
//	  canary: {version: 1.5.0, labels: {tier: web}}
//	routes:
//	  - name: testers         # of the route's breaker, and in telemetry
//	    match:                # all of it
//	      headers: {x-tester: {exact: "yes"}}  # or prefix: …, present: true, absent: true
//	      cookies: {beta: {present: true}}
//	      claims: {team: {exact: qa}}          # of who sends
//	      caller: {zone: eu-1}                 # labels of the calling process
//	    split: [{variant: canary}]
//	  - name: checkout
//	    match:
//	      methods: [POST]
//	      path: {prefix: /checkout/}           # or exact
//	    percent: 50           # of these requests; the others go on to the next route
//	    split:                # by weight
//	      - {variant: stable, weight: 9}
//	      - {variant: canary, weight: 1}
//	    sticky: {cookie: shop-place}           # or header, claim, path: true
//	    timeout: 2s           # what a route leaves out is the service's
//	    retry: {attempts: 1}
//	    hedge: {after: 0.99}
//	    breaker: {mode: observe}
//	  - name: reports
//	    match: {grpc: /shop.Reports/}          # all methods; or one: /shop.Reports/Daily
//	    timeout: 30s
//
// # Who goes where
//
// Percent and split go by a hash of the sticky value, so that every router, and every process
// that comes later, places a caller alike. A greater percent only adds callers. A new arm
// takes its share, weight to sum of weights, from all and moves nobody between the others; a
// changed weight moves the difference. A caller has the same variant in routes that split
// alike; its place in a percentage is each route's own, by the route's name. Without a sticky
// value a request is placed at random.
//
// A sticky cookie is the platform's own: for a request without it a value is drawn, which
// [Decision.SetCookie] returns, also when the percentage leaves the request out, so that it
// stays out. All routes of a document share one. Whoever sends the value chooses its place: a
// split divides, it does not protect.
//
// # Strictness
//
// [Parse] refuses what it does not know, what is given twice, and what is beyond its limit,
// with an [*Error] that names line, field, value and limit. YAML aliases are refused too. A
// document has at most 256 KiB, 100 routes, 16 arms of a split, 16 matchers of a route.
//
// # Ownership and failure
//
// Parse, [Document.Compile] and [Table.Route] are pure: random numbers are a parameter, and
// the request is plain maps and strings. A [Table] is immutable. Route looks at one route
// after the other and does not allocate.
//
// A [Source] follows the documents of services. It keeps the last good table when a bad
// document comes, tells so in [Follower.State] and as an event (otelplat.config.refuse), and
// goes on with what it has while etcd is away. A process that starts with a bad document has
// the defaults. Each service that was asked for has two goroutines of versioned's and one of
// its own until Close.
package rules
