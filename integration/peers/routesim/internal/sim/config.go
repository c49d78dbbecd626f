// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"time"
)

// Discipline is how a replica serves its requests.
type Discipline string

// The disciplines.
const (
	PS   Discipline = "ps"   // all at once, each with an equal part of the cores, one at most
	FIFO Discipline = "fifo" // eight workers, one queue
)

// Config is a workload. [Defaults] has the values of the published testbed.
type Config struct {
	Clients  int
	Replicas int
	Load     float64 // offered work over what the allocations of all replicas can do

	Discipline Discipline
	Workers    int     // of a replica, under FIFO
	Allocation float64 // cores of a replica
	Slow       float64 // share of the machines that are slower
	SlowSpeed  float64 // of those, where the others have 1

	Contended    float64       // share of the time in which a machine is contended
	ContendedCap float64       // cores of a contended replica, over its allocation
	SpareLow     float64       // cores of others, uniform from here
	SpareHigh    float64       // to here, over the allocation
	Episode      time.Duration // mean time between two changes of a machine's state, exponential

	WorkMean, WorkDeviation time.Duration // normal, cut off at zero
	Mix                     bool          // one request in ten is ten times dearer
	Wait                    time.Duration // mean of an exponential wait before the work, without a core

	Delay    time.Duration // of a message, each way
	Deadline time.Duration // of a request, from when it is sent
	Publish  time.Duration // how often the fleet's signals reach the clients

	Faulty  int           // replicas that fail
	Fault   Fault         // how
	FaultAt time.Duration // when, after the warm-up began

	WarmUp, Measured time.Duration
	Seed             uint64
}

// Fault is how a faulty replica fails.
type Fault string

// The faults.
const (
	NoFault  Fault = ""
	Sinkhole Fault = "sinkhole" // answers with an error at once
	Hung     Fault = "hung"     // never answers
	Flaky    Fault = "flaky"    // three requests in ten end in an error, after their work
	Crawling Fault = "crawling" // a tenth of its speed
)

// Defaults returns the published workload at a load of 1.
func Defaults() Config {
	return Config{
		Clients: 100, Replicas: 100, Load: 1, Discipline: PS, Workers: 8, Allocation: 4, Slow: 0.5, SlowSpeed: 0.6,
		Contended: 0.1, ContendedCap: 0.9, SpareLow: 1.5, SpareHigh: 3, Episode: 20 * time.Second,
		WorkMean: 80 * time.Millisecond, WorkDeviation: 80 * time.Millisecond,
		Delay: 250 * time.Microsecond, Deadline: 5 * time.Second, Publish: time.Second,
		WarmUp: 20 * time.Second, Measured: 40 * time.Second, Seed: 1,
	}
}

// Limits of a workload: what runs in minutes on one core.
const (
	maxClients  = 10_000
	maxReplicas = 10_000
	maxLoad     = 10
)

// Validate returns an error that names the field and its limit.
func (c *Config) Validate() error {
	for _, check := range []struct {
		ok   bool
		what string
	}{
		{c.Clients >= 1 && c.Clients <= maxClients, fmt.Sprintf("clients %d, want 1 to %d", c.Clients, maxClients)},
		{c.Replicas >= 1 && c.Replicas <= maxReplicas, fmt.Sprintf("replicas %d, want 1 to %d", c.Replicas, maxReplicas)},
		{c.Load > 0 && c.Load <= maxLoad, fmt.Sprintf("load %v, want more than 0 and at most %d", c.Load, maxLoad)},
		{c.Discipline == PS || c.Discipline == FIFO, fmt.Sprintf("discipline %q, want ps or fifo", c.Discipline)},
		{c.Workers >= 1, fmt.Sprintf("workers %d, want 1 at least", c.Workers)},
		{c.Slow >= 0 && c.Slow <= 1, fmt.Sprintf("slow share %v, want 0 to 1", c.Slow)},
		{c.SlowSpeed > 0 && c.SlowSpeed <= 1, fmt.Sprintf("slow speed %v, want more than 0 and at most 1", c.SlowSpeed)},
		{c.Episode > 0, fmt.Sprintf("episode %v, want more than 0", c.Episode)},
		{c.Publish > 0, fmt.Sprintf("publish period %v, want more than 0", c.Publish)},
		{c.WorkMean > 0 && c.WorkDeviation >= 0, fmt.Sprintf("work %v ± %v, want more than 0", c.WorkMean, c.WorkDeviation)},
		{c.Wait >= 0, fmt.Sprintf("wait %v, want 0 at least", c.Wait)},
		{c.Delay >= 0 && c.Deadline > 2*c.Delay, fmt.Sprintf("deadline %v, want more than the way there and back, %v", c.Deadline, 2*c.Delay)},
		{c.Faulty >= 0 && c.Faulty <= c.Replicas, fmt.Sprintf("faulty replicas %d, want 0 to %d", c.Faulty, c.Replicas)},
		{c.Faulty == 0 || c.Fault == Sinkhole || c.Fault == Hung || c.Fault == Flaky || c.Fault == Crawling,
			fmt.Sprintf("fault %q, want sinkhole, hung, flaky or crawling", c.Fault)},
		{c.Measured > 0 && c.WarmUp >= 0, fmt.Sprintf("measured %v after %v, want more than 0", c.Measured, c.WarmUp)},
	} {
		if !check.ok {
			return fmt.Errorf("routesim: %s", check.what)
		}
	}
	return nil
}
