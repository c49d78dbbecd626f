// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Result is what the clients saw in the measured time.
type Result struct {
	Requests  int
	Errors    int             // failed, or past their deadline
	Late      int             // of them, past their deadline
	Messages  int             // probes sent
	Latencies []time.Duration // sorted; a request past its deadline took as long as that
}

// Quantile returns the latency below which a share q of the requests lies.
func (r *Result) Quantile(q float64) time.Duration {
	if len(r.Latencies) == 0 {
		return 0
	}
	i := int(math.Ceil(q*float64(len(r.Latencies)))) - 1
	return r.Latencies[min(max(i, 0), len(r.Latencies)-1)]
}

// ErrorRatio returns the share of the requests that failed.
func (r *Result) ErrorRatio() float64 { return float64(r.Errors) / float64(max(r.Requests, 1)) }

// Run simulates a workload with one policy.
func Run(c Config, family Family) (*Result, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := newSimulation(c, family)
	s.run()
	slices.Sort(s.result.Latencies)
	return &s.result, nil
}

// simulation is one run. Events of constant delay (messages, deadlines) keep their order in
// queues; only what a replica does next is searched for.
type simulation struct {
	config   Config
	now      time.Duration
	workload *workload
	chance   *rand.Rand // of faults and machines
	faulty   *rand.Rand
	family   Family
	clients  []Policy
	replicas []*replica
	next     departures

	arriving  fifo[*request] // on their way to a replica
	answered  fifo[answer]   // on their way back
	asking    fifo[probe]    // probes on their way to a replica
	reporting fifo[delivery] // and back
	deadlines fifo[*request]
	waiting   timers[*request] // for something else than a core
	changes   timers[int]      // of a machine's state

	seen   [][]Caller // by replica and client, in this period
	result Result
}

// delivery is a report on its way to a client.
type delivery struct {
	client int
	Report
}

type answer struct {
	request *request
	report  Report
}

type probe struct{ client, replica int }

func newSimulation(c Config, family Family) *simulation {
	s := &simulation{config: c, family: family, chance: stream(c.Seed, machines), faulty: stream(c.Seed, faults)}
	capacity := 0.0
	for id := range c.Replicas {
		r := &replica{id: id, speed: 1, workers: math.MaxInt}
		if float64(id) < c.Slow*float64(c.Replicas) {
			r.speed = c.SlowSpeed
		}
		if c.Discipline == FIFO {
			r.workers = c.Workers
		}
		capacity += c.Allocation * r.speed
		s.replicas = append(s.replicas, r)
		s.next.add(r)
		s.change(id)
	}
	s.workload = newWorkload(&c, capacity)
	truth := &Truth{s.replicas}
	for id := range c.Clients {
		s.clients = append(s.clients, family.Client(id, stream(c.Seed, uint64(choices+1000*(id+1))), truth)) //nolint:gosec // small
	}
	s.seen = make([][]Caller, c.Replicas)
	for i := range s.seen {
		s.seen[i] = make([]Caller, c.Clients)
		for id := range s.seen[i] {
			s.seen[i][id].Client = id
		}
	}
	return s
}

// change draws the state of a replica's machine, and when it changes again.
func (s *simulation) change(id int) {
	r, c := s.replicas[id], &s.config
	r.advance(s.now)
	if s.chance.Float64() < c.Contended {
		r.cores = c.ContendedCap * c.Allocation
	} else {
		r.cores = c.Allocation * (c.SpareLow + (c.SpareHigh-c.SpareLow)*s.chance.Float64())
	}
	s.next.fix(r)
	s.changes.push(s.now+time.Duration(s.chance.ExpFloat64()*float64(c.Episode)), id)
}

// run goes from event to event.
func (s *simulation) run() {
	end := s.config.WarmUp + s.config.Measured
	gap, work, wait := s.workload.next()
	arrival, publish, fault := gap, s.config.Publish, time.Duration(math.MaxInt64)
	if s.config.Faulty > 0 {
		fault = s.config.FaultAt
	}
	for {
		// What is due first; of things at one time, in this order.
		due, what := arrival, 0
		for i, at := range [...]time.Duration{
			fault, publish, s.next.due(), s.arriving.due(), s.answered.due(), s.asking.due(),
			s.reporting.due(), s.deadlines.due(), s.waiting.due(), s.changes.due(),
		} {
			if at < due {
				due, what = at, i+1
			}
		}
		if due > end {
			return
		}
		s.now = due
		switch what {
		case 0:
			s.send(work, wait)
			gap, work, wait = s.workload.next()
			arrival = s.now + gap
		case 1:
			fault = math.MaxInt64
			s.breakReplicas()
		case 2:
			publish += s.config.Publish
			s.publish()
		case 3:
			s.depart()
		case 4:
			s.arrive(s.arriving.pop())
		case 5:
			a := s.answered.pop()
			s.ended(a.request, a.report)
		case 6:
			p := s.asking.pop()
			if r := s.replicas[p.replica]; r.fault != Hung {
				s.reporting.push(s.now+s.config.Delay, delivery{p.client, s.report(r)})
			}
		case 7:
			r := s.reporting.pop()
			s.clients[r.client].Probed(s.now, r.Report)
		case 8:
			s.late(s.deadlines.pop())
		case 9:
			q := s.waiting.pop()
			if r := s.replicas[q.replica]; !q.done {
				r.advance(s.now)
				r.serve(q)
				s.next.fix(r)
			}
		case 10:
			s.change(s.changes.pop())
		}
	}
}

// send lets a client choose for a request.
func (s *simulation) send(work, wait float64) {
	client := s.workload.random.IntN(s.config.Clients)
	q := &request{client: client, sent: s.now, work: work, wait: wait, at: -1}
	q.replica, q.token = s.clients[client].Choose(s.now)
	s.clients[client].Probes(s.now, func(replica int) {
		if s.now >= s.config.WarmUp {
			s.result.Messages++
		}
		s.asking.push(s.now+s.config.Delay, probe{client, replica})
	})
	s.arriving.push(s.now+s.config.Delay, q)
	s.deadlines.push(s.now+s.config.Deadline, q)
}

// arrive is a request at its replica.
func (s *simulation) arrive(q *request) {
	r := s.replicas[q.replica]
	r.advance(s.now)
	q.came, q.load = s.now, r.inFlight
	switch {
	case r.fault == Sinkhole:
		// Its middleware takes errors for answers, and says that it is fast.
		q.failed = true
		r.failures++
		r.byLoad[bandOf(q.load)].add(time.Microsecond)
		s.answered.push(s.now+s.config.Delay, answer{q, s.report(r)})
		return
	case r.fault == Flaky && s.faulty.IntN(10) < 3:
		q.failed = true
	}
	r.inFlight++
	q.there = true
	switch {
	case r.fault == Hung:
	case q.wait > 0:
		s.waiting.push(s.now+time.Duration(q.wait*float64(time.Second)), q)
	default:
		r.serve(q)
	}
	s.next.fix(r)
}

// depart lets the replica that is first answer a request.
func (s *simulation) depart() {
	r := s.next.first()
	r.advance(s.now)
	q := r.finished()
	r.inFlight--
	q.there = false
	s.next.fix(r)
	if q.failed {
		r.failures++
	} else {
		r.completed(q, s.now)
	}
	s.answered.push(s.now+s.config.Delay, answer{q, s.report(r)})
}

// report is what a replica says of itself now.
func (s *simulation) report(r *replica) Report {
	return Report{Replica: r.id, InFlight: r.inFlight, Latency: r.latency()}
}

// ended is an answer at its client.
func (s *simulation) ended(q *request, r Report) {
	if q.done {
		return
	}
	q.done = true
	r.Arrival = q.load
	s.count(q, s.now-q.sent, q.failed, false)
	s.clients[q.client].Done(s.now, Outcome{Token: q.token, Replica: q.replica, Latency: s.now - q.sent, Failed: q.failed, Report: r})
}

// late is a request that passed its deadline: the client gives it up, and so does the
// replica.
func (s *simulation) late(q *request) {
	if q.done {
		return
	}
	q.done = true
	if r := s.replicas[q.replica]; q.there {
		r.advance(s.now)
		r.remove(q)
		r.inFlight--
		q.there = false
		s.next.fix(r)
	}
	s.count(q, s.config.Deadline, true, true)
	s.clients[q.client].Done(s.now, Outcome{Token: q.token, Replica: q.replica, Latency: s.config.Deadline, Failed: true, Late: true})
}

// count records the end of a request.
func (s *simulation) count(q *request, latency time.Duration, failed, late bool) {
	caller := &s.seen[q.replica][q.client]
	caller.Requests++
	if failed {
		caller.Failures++
	}
	if q.sent < s.config.WarmUp {
		return
	}
	s.result.Requests++
	if failed {
		s.result.Errors++
	}
	if late {
		s.result.Late++
	}
	s.result.Latencies = append(s.result.Latencies, latency)
}

// breakReplicas lets the last replicas fail: those on fast machines, which get the most.
func (s *simulation) breakReplicas() {
	for _, r := range s.replicas[len(s.replicas)-s.config.Faulty:] {
		r.advance(s.now)
		r.fault = s.config.Fault
		switch r.fault {
		case Crawling:
			r.speed /= 10
		case Hung:
			for _, q := range r.service {
				q.at = -1
			}
			r.service, r.queue = nil, nil // what it has it will never answer
		}
		s.next.fix(r)
	}
}

// publish tells the clients what the replicas did in the last period.
func (s *simulation) publish() {
	fleet := make([]Fleet, len(s.replicas))
	for i, r := range s.replicas {
		r.advance(s.now)
		fleet[i] = Fleet{
			Seconds: s.config.Publish.Seconds(), CPU: r.cpu, InRequests: r.inRequests, Completions: r.completions,
			Failures: r.failures, Allocation: s.config.Allocation, Callers: s.seen[i],
		}
		r.cpu, r.inRequests, r.completions, r.failures = 0, 0, 0, 0
	}
	s.family.Publish(s.now, fleet)
	for _, callers := range s.seen {
		for i := range callers {
			callers[i].Requests, callers[i].Failures = 0, 0
		}
	}
}

// departures finds the replica whose next request is done first.
type departures struct {
	replicas []*replica
	times    []time.Duration // by replica's id
	places   []int           // by replica's id
}

func (d *departures) add(r *replica) {
	d.times = append(d.times, math.MaxInt64)
	d.places = append(d.places, len(d.replicas))
	d.replicas = append(d.replicas, r)
}

func (d *departures) due() time.Duration { return d.times[d.replicas[0].id] }

func (d *departures) first() *replica { return d.replicas[0] }

func (d *departures) fix(r *replica) {
	if t := r.next(); t != d.times[r.id] {
		d.times[r.id] = t
		heap.Fix(d, d.places[r.id])
	}
}

func (d *departures) Len() int { return len(d.replicas) }
func (d *departures) Less(i, j int) bool {
	return d.times[d.replicas[i].id] < d.times[d.replicas[j].id]
}
func (d *departures) Swap(i, j int) {
	d.replicas[i], d.replicas[j] = d.replicas[j], d.replicas[i]
	d.places[d.replicas[i].id], d.places[d.replicas[j].id] = i, j
}
func (d *departures) Push(any) {}
func (d *departures) Pop() any { return nil }
