// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"time"

	"google.golang.org/grpc/codes"
)

// Limits of a document.
const (
	MaxBytes = 256 << 10 // of its text

	maxRoutes   = 100
	maxArms     = 16 // of a split
	maxMatchers = 16 // of a route
	maxVariants = 64
	maxLabels   = 32   // of a variant's selector
	maxList     = 64   // methods, statuses, codes, classes
	maxText     = 1024 // bytes of any text in it
	maxWeight   = 1e6
	maxTimeout  = time.Hour
)

// Names of the policies that every router has. Others are the user's own.
const (
	Adaptive       = "adaptive"
	Prequal        = "prequal"
	RoundRobin     = "round_robin"
	LeastRequest   = "least_request"
	P2CEWMA        = "p2c_ewma"
	Weighted       = "weighted"
	ConsistentHash = "consistent_hash"
)

var policies = []string{Adaptive, Prequal, RoundRobin, LeastRequest, P2CEWMA, Weighted, ConsistentHash}

// Mode is the switch of an automatic act.
type Mode string

// The modes.
const (
	Off     Mode = "off"
	Observe Mode = "observe" // tells what it would have done
	Act     Mode = "act"
)

// Document is the routing document of one service. [Parse] fills in the defaults, so that
// every field holds what is in force.
//
// What is added later (experiments, mirroring) is a section of its own, here or in
// [Route]; until then its name is refused as unknown.
type Document struct {
	Service  `yaml:",inline"`
	Settings `yaml:",inline"`

	// Variants are the parts of the service that routes can choose, by name.
	Variants map[string]Variant `yaml:"variants"`

	// Routes are tried in order; the first that matches, and takes the request, decides.
	Routes []Route `yaml:"routes"`
}

// Service is what holds for all requests of a service.
type Service struct {
	Policy   Policy   `yaml:"policy"`
	Zone     Zone     `yaml:"zone"`
	Subset   Subset   `yaml:"subset"`
	Ejection Ejection `yaml:"ejection"`
	Failure  Failure  `yaml:"failure"`

	// SlowStart is how long a new instance's traffic grows to its full share (30 s; 0 is at
	// once).
	SlowStart time.Duration `yaml:"slow_start"`

	// Panic is the part of the instances in service below which ejections are ignored
	// (0.5, Envoy's).
	Panic float64 `yaml:"panic"`
}

// Settings are what holds for a request, and may differ by route.
type Settings struct {
	// Timeout bounds a request with all its attempts. 0 (the default) leaves it to the
	// caller's deadline.
	Timeout time.Duration `yaml:"timeout"`

	Retry   Retry   `yaml:"retry"`
	Hedge   Hedge   `yaml:"hedge"`
	Breaker Breaker `yaml:"breaker"`
}

// Policy says which instance in rotation gets a request.
type Policy struct {
	Name string `yaml:"name"` // adaptive

	// Probes is how many instances are asked for their load for each request, at most; a
	// part of one is one now and then, 0 none (2; with Prequal's 3 the p99 is 4 to 10 % better
	// in the simulator).
	Probes float64 `yaml:"probes"`

	// ProbesPerSecond bounds the probes of one router to this service (50).
	ProbesPerSecond float64 `yaml:"probes_per_second"`

	// Hash is what consistent_hash hashes. It has no default.
	Hash Key `yaml:"hash"`

	// LoadFactor bounds an instance's load under consistent_hash, as a multiple of the mean
	// (1.25; consistent hashing with bounded loads, arXiv 1608.01350).
	LoadFactor float64 `yaml:"load_factor"`
}

// Zone says what the caller's own zone counts.
type Zone struct {
	// Prefer sends to instances of the caller's zone as long as they can take its share of
	// the load; the rest spills over (true).
	Prefer bool `yaml:"prefer"`
}

// Subset lets one router know only a part of the instances, chosen by rendezvous hashing.
type Subset struct {
	Enabled bool `yaml:"enabled"` // false
	Min     int  `yaml:"min"`     // instances (12, Finagle's aperture)
}

// Ejection says when an instance leaves the rotation.
type Ejection struct {
	Mode        Mode          `yaml:"mode"`        // act
	Base        time.Duration `yaml:"base"`        // of the first hold, which grows by it (30 s; gRPC A50, Envoy)
	Share       float64       `yaml:"share"`       // of the instances that may be out at once (0.5); failures that a router saw itself take out more, until panic takes all back, unless this is less than 1 - panic
	Consecutive int           `yaml:"consecutive"` // failures in a row (5; Finagle, Envoy)
	Ratio       float64       `yaml:"ratio"`       // of failures among the requests of 10 s (0.5)
	Requests    int           `yaml:"requests"`    // that the ratio needs (10)

	// SuccessRateStdev is how many standard deviations below the mean of the instances a
	// success rate may be (1.9; gRPC A50, Envoy). 0 is off.
	SuccessRateStdev float64 `yaml:"success_rate_stdev"`

	// LatencyFactor is how many times the median of the instances a latency may be. 0, the
	// default, is off: slow instances get less traffic anyway.
	LatencyFactor float64 `yaml:"latency_factor"`
}

// Failure says which answers count against an instance. No connection and no answer in
// time always do, what the caller cancelled never does.
type Failure struct {
	// HTTP are statuses: 503, 5xx, 500-504 (5xx).
	HTTP []Statuses `yaml:"http"`

	// GRPC are codes by name: UNAVAILABLE (UNKNOWN, UNIMPLEMENTED, INTERNAL, UNAVAILABLE,
	// DATA_LOSS: those that OpenTelemetry counts as the server's).
	GRPC []codes.Code `yaml:"grpc"`

	// Header is the response header, for gRPC the trailer, that names an answer's error
	// class, and Classes are those of its values that make it a failure whatever its status.
	Header  string   `yaml:"header"`
	Classes []string `yaml:"classes"`
}

// What [Retry] may retry, beside the classes of [Failure].
const (
	Refused     = "refused"     // no connection: the instance never saw the request
	Unavailable = "unavailable" // HTTP 503, gRPC UNAVAILABLE
	Timeout     = "timeout"     // the attempt's own time passed
	Failed      = "failure"     // whatever counts as one
)

// Retry says what is tried again, on another instance.
type Retry struct {
	Attempts      int           `yaml:"attempts"`        // in all, the first among them; 1 retries nothing (2, at most 5: gRPC A6)
	PerTryTimeout time.Duration `yaml:"per_try_timeout"` // of each attempt; 0: only the whole is bounded (0)
	On            []string      `yaml:"on"`              // refused, unavailable, timeout, failure, error classes (refused, unavailable)

	// Methods are those that may be sent twice: of HTTP by name, of gRPC as
	// /service/method or /service/ (the idempotent ones of RFC 9110, 9.2.2). What was
	// refused is retried whatever its method.
	Methods []string `yaml:"methods"`

	// Budget and Min bound retries and hedges of the whole service to a part of the requests
	// of 10 s, and so many more (0.2 and 3, Envoy's). No route has its own.
	Budget float64 `yaml:"budget"`
	Min    int     `yaml:"min"`
}

// Hedge sends a request to a second instance when the first is late. A document that has the
// section hedges; the methods are those of [Retry], and so is the budget.
type Hedge struct {
	After float64 `yaml:"after"` // quantile of the service's latency (0.95; Dean and Barroso, The Tail at Scale)
	Max   int     `yaml:"max"`   // further attempts at once, 0 is off (1 in a document with the section)
}

// Breaker says when a service, or a route, is left alone. Ratio and Requests are of what the
// process itself saw, which decides while signals are away; the fleet's thresholds are the
// same for all, so that all come to the same. Mode is of either.
type Breaker struct {
	Mode     Mode    `yaml:"mode"`     // act
	Ratio    float64 `yaml:"ratio"`    // of failures (0.5)
	Requests int     `yaml:"requests"` // that the ratio needs (20)
}

// Variant chooses instances: those that all of its fields match.
type Variant struct {
	Version string            `yaml:"version"`
	Labels  map[string]string `yaml:"labels"`
}

// Route decides for the requests that it matches.
type Route struct {
	Name  string `yaml:"name"` // in telemetry, and of its breaker
	Match Match  `yaml:"match"`

	// Percent is the part of the matching requests that the route takes; the others go on
	// to the next (100).
	Percent float64 `yaml:"percent"`

	// Split are the variants that share what it takes; without one all instances do.
	Split []Arm `yaml:"split"`

	// Sticky is what a request is known again by: the same value has the same place in
	// Percent and the same arm. Requests without the header or claim, and all when it is
	// empty, are drawn at random; for those without the cookie a value is drawn, to be set.
	Sticky Key `yaml:"sticky"`

	Settings `yaml:",inline"` // what it leaves out is the service's
}

// Arm is one part of a split.
type Arm struct {
	Variant string  `yaml:"variant"`
	Weight  float64 `yaml:"weight"` // relative to the others; 0 gets nothing (1)
}

// Match says which requests. All parts must match; an empty one matches every request.
type Match struct {
	Methods []string        `yaml:"methods"` // HTTP: one of them
	Path    Text            `yaml:"path"`    // HTTP: decoded
	GRPC    string          `yaml:"grpc"`    // /service/method, or /service/ for all of its methods
	Headers map[string]Text `yaml:"headers"` // one of the header's values; for gRPC of the metadata
	Cookies map[string]Text `yaml:"cookies"`
	Claims  map[string]Text `yaml:"claims"` // of who sends, as the program tells them

	// Caller are labels of the calling process: all must have the value.
	Caller map[string]string `yaml:"caller"`
}

// Text matches a text. One field is set.
type Text struct {
	Exact   string `yaml:"exact"`
	Prefix  string `yaml:"prefix"` // as it stands: end it with / to mean whole segments of a path
	Present bool   `yaml:"present"`
	Absent  bool   `yaml:"absent"`
}

// Key is the part of a request that is hashed. One field is set, none for no key.
type Key struct {
	Header string `yaml:"header"`
	Cookie string `yaml:"cookie"`
	Claim  string `yaml:"claim"`
	Path   bool   `yaml:"path"` // for gRPC the full method
}

func (k Key) empty() bool { return k == Key{} }

// Default returns what holds without a document.
func Default() *Document {
	return &Document{
		Service: Service{
			Policy: Policy{Name: Adaptive, Probes: 2, ProbesPerSecond: 50, LoadFactor: 1.25},
			Zone:   Zone{Prefer: true},
			Subset: Subset{Min: 12},
			Ejection: Ejection{
				Mode: Act, Base: 30 * time.Second, Share: 0.5, Consecutive: 5, Ratio: 0.5, Requests: 10, SuccessRateStdev: 1.9,
			},
			Failure: Failure{
				HTTP: []Statuses{{500, 599}},
				GRPC: []codes.Code{codes.Unknown, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss},
			},
			SlowStart: 30 * time.Second,
			Panic:     0.5,
		},
		Settings: Settings{
			Retry: Retry{
				Attempts: 2, On: []string{Refused, Unavailable},
				Methods: []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"},
				Budget:  0.2, Min: 3,
			},
			Hedge:   Hedge{After: 0.95},
			Breaker: Breaker{Mode: Act, Ratio: 0.5, Requests: 20},
		},
	}
}
