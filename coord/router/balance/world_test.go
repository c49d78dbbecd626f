// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

const base = 30 * time.Second

// world is a pool with a clock that the test moves.
type world struct {
	t      testing.TB
	pool   *Pool
	now    time.Duration
	random func(int) int
	who    []Member
	fleet  *signal.Fleet
	events []Event
}

func newWorld(t testing.TB, instances int) *world {
	w := &world{t: t, now: time.Hour, random: rand.New(rand.NewPCG(1, 2)).IntN}
	w.pool = New(Default(), func(e Event) { w.events = append(w.events, e) })
	for i := range instances {
		w.who = append(w.who, Member{ID: fmt.Sprintf("i%d", i), Weight: 1, InService: true, Target: "t"})
	}
	w.update()
	return w
}

// configure puts the default settings in force, changed, with the policy that there is.
func (w *world) configure(change func(*Settings)) {
	s := Default()
	s.Policy = w.pool.Policy()
	change(&s)
	w.pool.Configure(w.now, s)
}

// request is any request, now.
func (w *world) request() Request { return Request{Now: w.now, Random: w.random} }

// asks lets the policy ask for loads, after a request, has the instances answer, and returns
// whom it asked.
func (w *world) asks(usable func(*Node) bool, answer func(*Node) Report) []string {
	var asked []string
	r := w.request()
	r.Usable = usable
	w.pool.Ask(r, func(n *Node) {
		asked = append(asked, n.ID())
		if answer != nil {
			w.pool.Heard(r, n, answer(n))
		}
	})
	return asked
}

// node returns an instance as the pool holds it.
func (w *world) node(id string) *Node {
	w.t.Helper()
	n := w.pool.nodes[id]
	if n == nil {
		w.t.Fatalf("%s is not there", id)
	}
	return n
}

// knows tells the pool what the fleet knows of an instance's capacity.
func (w *world) knows(id string, demand time.Duration, parallelism float64) {
	w.learns(&signal.Signal{ID: id, Verdict: good(), ServiceDemand: demand, Parallelism: parallelism})
}

func (w *world) update() { w.pool.Update(w.now, w.who, w.fleet) }

// says sets the fleet's verdict on an instance.
func (w *world) says(id string, v signal.Verdict) { w.learns(&signal.Signal{ID: id, Verdict: v}) }

// learns sets what the fleet knows of an instance.
func (w *world) learns(s *signal.Signal) {
	next := &signal.Fleet{Instances: make(map[string]*signal.Signal)}
	if w.fleet != nil {
		maps.Copy(next.Instances, w.fleet.Instances)
	}
	next.Instances[s.ID] = s
	w.fleet = next
	w.update()
}

func bad() signal.Verdict       { return signal.Verdict{State: signal.Bad, Weight: 0.1} }
func good() signal.Verdict      { return signal.Verdict{State: signal.Good, Weight: 1} }
func probation() signal.Verdict { return signal.Verdict{State: signal.Probation, Weight: 1} }

func only(id string) func(*Node) bool {
	return func(n *Node) bool { return n.ID() == id }
}

// begin sends a request that only one instance can take, and fails when it does not.
func (w *world) begin(id string) Attempt {
	w.t.Helper()
	a, ok := w.pool.PickInRotation(Request{Now: w.now, Random: w.random, Usable: only(id)})
	if !ok {
		w.t.Fatalf("%s gets no request", id)
	}
	return a
}

// sends lets an instance answer n requests, 10 ms apart.
func (w *world) sends(id string, n int, outcome Outcome) {
	w.t.Helper()
	for range n {
		a := w.begin(id)
		w.now += 10 * time.Millisecond
		a.Done(0, w.now, outcome, Measured)
	}
}

// gets reports whether an instance would get a request now.
func (w *world) gets(id string) bool {
	a, ok := w.pool.PickInRotation(Request{Now: w.now, Random: w.random, Usable: only(id)})
	if ok {
		a.Done(0, w.now, Cancelled, Measured)
	}
	return ok
}

func (w *world) choice(id string) Choice {
	w.t.Helper()
	for _, c := range w.pool.Explain(w.now) {
		if c.Member.ID == id {
			return c
		}
	}
	w.t.Fatalf("%s is not there", id)
	return Choice{}
}

func (w *world) is(id string, state State, reason Reason) {
	w.t.Helper()
	if c := w.choice(id); c.State != state || c.Reason != reason {
		w.t.Fatalf("%s is in state %d because of %q, want %d because of %q", id, c.State, c.Reason, state, reason)
	}
}

// probes sends probes until one instance has answered n of them.
func (w *world) probes(id string, n int, outcome Outcome) {
	w.t.Helper()
	for range n {
		a := w.begin(id)
		if !a.Probe() {
			w.t.Fatalf("a request to %s is not a probe", id)
		}
		w.now += time.Millisecond
		a.Done(0, w.now, outcome, Measured)
		w.now += base / 10
	}
}

// awaitsProbe lets time pass until an instance on probation gets a probe, which all callers
// spread over a fifth of the base, and returns how long that took. The probe is cancelled,
// and the next one due.
func (w *world) awaitsProbe(id string) time.Duration {
	w.t.Helper()
	from := w.now
	for ; !w.gets(id); w.now += 10 * time.Millisecond {
		if w.now-from > base/5 {
			w.t.Fatalf("%s gets no probe within %v", id, base/5)
		}
	}
	wait := w.now - from
	w.now += base / 10
	return wait
}
