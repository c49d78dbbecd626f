// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Report is what a server says of its load. Zero means that the server does not tell, but
// for the two counts, of which zero is an answer: there it is -1.
type Report struct {
	// InFlight is how many requests the server has in flight now, the one that carries
	// the report not among them: it is what a request that came now would meet. -1 when
	// the report has no such figure, because another kind of server made it.
	InFlight int

	// AtArrival is how many it had in flight when the request came that carries the
	// report; -1 on the answer to a probe, which is no request.
	AtArrival int

	// Latency is what requests that arrived at about this load took: the median of recent
	// ones tagged with the requests in flight at their arrival, read at InFlight.
	Latency time.Duration

	CPUUtilization float64 // of the allocation, over about the last second; may exceed 1
	RPS, EPS       float64 // completed, and failed among them, a second

	// Demand is the CPU time that a request costs here, and Parallelism how many requests
	// are served at once before they queue: the server's own estimates.
	Demand      time.Duration
	Parallelism float64
}

// Bounds of what a report may say.
const (
	MaxInFlight       = 1_000_000
	MaxLatency        = time.Hour // of Demand too
	MaxCPUUtilization = 1000.0
	MaxRate           = 1e9 // of RPS and EPS
	MaxParallelism    = 3 * 4096.0
)

// ErrNotOffered is returned when who answers does not report its load.
var ErrNotOffered = errors.New("loadreport: the server does not offer load reports")

// A SyntaxError says that a report in text form cannot be read.
type SyntaxError struct{ Reason string }

func (e *SyntaxError) Error() string { return "loadreport: " + e.Reason }

// A ValueError says that a field of a report is not a number within its bounds.
type ValueError struct {
	Field string
	Value float64
	Limit float64
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("loadreport: %s of %g is not within 0 and %g", e.Field, e.Value, e.Limit)
}

// field is one figure of a report on the wire.
type field uint8

const (
	cpuUtilization field = iota
	rpsFractional
	eps
	inFlight
	atArrival
	latencySeconds
	demandSeconds
	parallelism
	unknown
)

// names are those of OrcaLoadReport's fields, and of named_metrics from inFlight on.
var names = [unknown]string{
	"cpu_utilization", "rps_fractional", "eps",
	"in_flight", "at_arrival", "latency_seconds", "demand_seconds", "parallelism",
}

var limits = [unknown]float64{
	MaxCPUUtilization, MaxRate, MaxRate,
	MaxInFlight, MaxInFlight, float64(MaxLatency / time.Second), float64(MaxLatency / time.Second), MaxParallelism,
}

// nothing is the report in which nothing is told.
var nothing = Report{InFlight: -1, AtArrival: -1}

// set takes in a value from the wire.
func (r *Report) set(f field, v float64) error {
	if !(v >= 0 && v <= limits[f]) { // NaN is neither
		return &ValueError{names[f], v, limits[f]}
	}
	v = math.Abs(v) // there is a negative zero
	switch f {
	case cpuUtilization:
		r.CPUUtilization = v
	case rpsFractional:
		r.RPS = v
	case eps:
		r.EPS = v
	case inFlight:
		r.InFlight = int(math.Round(v))
	case atArrival:
		r.AtArrival = int(math.Round(v))
	case latencySeconds:
		r.Latency = seconds(v)
	case demandSeconds:
		r.Demand = seconds(v)
	case parallelism:
		r.Parallelism = v
	}
	return nil
}

// get returns a value for the wire, within its bounds, and whether it is told.
func (r *Report) get(f field) (v float64, told bool) {
	switch f {
	case cpuUtilization:
		v = r.CPUUtilization
	case rpsFractional:
		v = r.RPS
	case eps:
		v = r.EPS
	case inFlight:
		return float64(min(r.InFlight, MaxInFlight)), r.InFlight >= 0
	case atArrival:
		return float64(min(r.AtArrival, MaxInFlight)), r.AtArrival >= 0
	case latencySeconds:
		v = r.Latency.Seconds()
	case demandSeconds:
		v = r.Demand.Seconds()
	case parallelism:
		v = r.Parallelism
	}
	if !(v > 0) {
		return 0, false
	}
	return min(v, limits[f]), true
}

func seconds(v float64) time.Duration { return time.Duration(math.Round(v * float64(time.Second))) }
