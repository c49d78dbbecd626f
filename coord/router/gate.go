// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord/router/balance"
	"github.com/otelplat/platform/coord/router/override"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
)

// gates are the breakers of a service: one for the whole, under "", and one for each route.
// There is one for each route of the document at most.
type gates struct {
	byRoute atomic.Pointer[map[string]*gate] // copied on write, with mu held
	mu      sync.Mutex
}

// gate is what a breaker does now: which part of the requests it lets through.
type gate struct {
	share atomic.Uint64 // float64
	why   atomic.Pointer[OpenError]
}

var _ = fmt.Sprint
var _ = math.Inf
var _ = rand.IntN
var _ rules.Mode
var _ signal.Circuit

func (g *gates) ended(route string, now time.Duration, outcome balance.Outcome) {}

// admit refuses a request where its breaker, or its service's, is open.
func (s *service) admit(route string) error { return nil }

// open reports whether nothing should be sent a second time.
func (s *service) open(route string) bool { return false }

// judge brings the gates up to date.
func (s *service) judge(now time.Duration, forced *override.Current) {}

// OpenError says that a breaker did not let a request through. Nothing was sent.
type OpenError struct {
	Service string
	Route   string // whose breaker it is, "" for the service's
	Rule    string
}

func (e *OpenError) Error() string { return "router: open" }

// rejudge is judge without the service locked.
func (s *service) rejudge(now time.Duration) {}
