// SPDX-License-Identifier: Apache-2.0

package slice_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/slice"
	"github.com/otelplat/platform/collector-components/budgetprocessor/internal/volume"
)

const (
	ttl  = 7 * time.Second // of a lease in etcd
	tick = 50 * time.Millisecond
)

// bus is an etcd in memory: puts and deletions in one order, which each collector
// sees a while after they happened, leases, and a switch that takes it away.
type bus struct {
	log  []event
	away bool
}

type event struct {
	at    time.Duration
	name  string
	share *slice.Share // nil: deleted
}

// collector is a member with a meter that holds what it receives to its slice.
type collector struct {
	name    string
	member  *slice.Member
	meter   volume.Meter
	view    map[string]slice.Share
	seen    int // of the log
	lag     time.Duration
	joined  time.Duration
	next    time.Duration // round
	renewed time.Duration
	leased  bool
	dead    bool
	cut     bool      // from etcd
	load    float64   // items a second
	kept    []float64 // by tick
}

// fleet shares one budget.
type fleet struct {
	t          *testing.T
	bus        bus
	budget     float64
	collectors []*collector
	random     *rand.Rand
	now        time.Duration
	puts       int
}

func newFleet(t *testing.T, budget float64) *fleet {
	return &fleet{t: t, budget: budget, random: rand.New(rand.NewPCG(1, 2)), now: time.Hour}
}

// join adds a collector.
func (f *fleet) join(expected int, load float64) *collector {
	name := fmt.Sprint("collector-", len(f.collectors))
	c := &collector{
		name: name, member: slice.New(name, expected), view: make(map[string]slice.Share), load: load,
		lag: time.Duration(10+f.random.IntN(150)) * time.Millisecond, joined: f.now, next: f.now,
	}
	c.kept = make([]float64, int(f.now-time.Hour)/int(tick))
	f.collectors = append(f.collectors, c)
	return c
}

// run lets time pass.
func (f *fleet) run(length time.Duration) {
	for end := f.now + length; f.now < end; f.now += tick {
		f.expire()
		for _, c := range f.collectors {
			kept := 0.0
			if !c.dead {
				f.coordinate(c)
				kept = f.receive(c)
			}
			c.kept = append(c.kept, kept)
		}
		f.check()
	}
}

// expire deletes what leases held that were not renewed.
func (f *fleet) expire() {
	for _, c := range f.collectors {
		if c.leased && !f.bus.away && f.now-c.renewed > ttl {
			c.leased = false
			f.bus.log = append(f.bus.log, event{at: f.now, name: c.name})
		}
	}
}

// coordinate is what the component does once a second, or when the view changed.
func (f *fleet) coordinate(c *collector) {
	if f.bus.away || c.cut {
		if f.bus.away {
			c.renewed = f.now // etcd extends leases by the time it was away
		}
		if f.now >= c.joined+5*time.Second {
			c.member.Alone()
		}
		return
	}
	if c.leased && f.now-c.renewed >= ttl/3 {
		c.renewed = f.now
	}
	changed := false
	for ; c.seen < len(f.bus.log) && f.bus.log[c.seen].at+c.lag <= f.now; c.seen++ {
		e := f.bus.log[c.seen]
		changed = true
		if e.share == nil {
			delete(c.view, e.name)
		} else {
			c.view[e.name] = *e.share
		}
	}
	if !changed && f.now < c.next {
		return
	}
	c.next = f.now + time.Second + time.Duration(f.random.IntN(200))*time.Millisecond
	share, publish := c.member.Round(c.view, map[string]float64{"orders": c.meter.Rate(f.now) / f.budget})
	if !publish {
		return
	}
	decoded, err := slice.Decode(slice.Encode(share))
	if err != nil {
		f.t.Fatal(err)
	}
	if !c.leased {
		c.leased, c.renewed = true, f.now
	}
	f.puts++
	f.bus.log = append(f.bus.log, event{at: f.now, name: c.name, share: &decoded})
}

// receive takes a tick's items.
func (f *fleet) receive(c *collector) float64 {
	var d volume.Demand
	d.Add(c.load*tick.Seconds(), 1)
	limit := f.budget * c.member.Used().Of("orders")
	kept := d.Kept(c.meter.Ask(f.now, volume.Budget{PerSecond: limit}, &d))
	c.meter.Spend(kept)
	return kept
}

// check holds what the collectors that reach each other may use to 110 %.
func (f *fleet) check() {
	sum := 0.0
	for _, c := range f.collectors {
		if !c.dead && !c.cut {
			sum += c.member.Used().Of("orders")
		}
	}
	if sum > 1.1+1e-6 && !f.bus.away {
		f.t.Fatalf("after %v the slices add up to %.3f of the budget", f.now-time.Hour, sum)
	}
}

// sums returns what all kept, as a part of the budget, in each second from a time on.
func (f *fleet) sums(from time.Duration) (out []float64) {
	const perSecond = int(time.Second / tick)
	for i := int(from / tick); i+perSecond <= len(f.collectors[0].kept); i += perSecond {
		sum := 0.0
		for _, c := range f.collectors {
			for _, k := range c.kept[min(i, len(c.kept)):min(i+perSecond, len(c.kept))] {
				sum += k
			}
		}
		out = append(out, sum/f.budget)
	}
	return out
}

func (f *fleet) elapsed() time.Duration { return f.now - time.Hour }

func TestThreeCollectorsThatShareABudgetStayWithin10PercentInSum(t *testing.T) {
	for name, loads := range map[string][3]float64{
		"all the same":       {10_000, 10_000, 10_000},
		"one has most of it": {25_000, 3_000, 2_000},
		"one is idle":        {20_000, 10_000, 0},
		"all of it at one":   {30_000, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 3000)
			for _, load := range loads {
				f.join(3, load)
			}
			f.run(20 * time.Second)
			settled := f.elapsed()
			f.run(60 * time.Second)
			sums := f.sums(settled)
			t.Logf("kept in sum %.3f to %.3f of the budget in a second; %d puts in %v", slices.Min(sums), slices.Max(sums), f.puts, f.elapsed())
			if slices.Min(sums) < 0.9 || slices.Max(sums) > 1.1 {
				t.Errorf("the sum is %.3f to %.3f of the budget, expected 0.9 to 1.1", slices.Min(sums), slices.Max(sums))
			}
		})
	}
}

func TestWhenOneIsKilledTheOthersHaveItsPartWithinALease(t *testing.T) {
	f := newFleet(t, 3000)
	for range 3 {
		f.join(3, 10_000)
	}
	f.run(30 * time.Second)
	victim := f.collectors[1]
	for victim.renewed != f.now-tick { // the worst moment: its lease was just renewed
		f.run(tick)
	}
	killed := f.elapsed()
	victim.dead = true
	f.collectors[0].load, f.collectors[2].load = 15_000, 15_000 // its clients go on with the others
	f.run(60 * time.Second)
	sums := f.sums(killed)
	low := 0
	for _, s := range sums {
		if s < 0.9 {
			low++
		}
	}
	t.Logf("the sum by second from the kill on is %.2f; at most %.3f, %d s below 0.9", sums[:15], slices.Max(sums), low)
	if slices.Max(sums) > 1.1 {
		t.Errorf("the sum reached %.3f of the budget", slices.Max(sums))
	}
	if limit := 10; low > limit {
		t.Errorf("the sum was below 0.9 for %d s, expected at most %d, a lease", low, limit)
	}
}

func TestSlicesFollowTheDemand(t *testing.T) {
	f := newFleet(t, 3000)
	a, b, c := f.join(3, 25_000), f.join(3, 2_500), f.join(3, 2_500)
	f.run(30 * time.Second)
	if got := a.member.Used().Of("orders"); math.Abs(got-25./30) > 0.05 {
		t.Errorf("the one with most of the demand has %.2f", got)
	}
	a.load, c.load = 2_500, 25_000
	f.run(10 * time.Second)
	from := f.elapsed()
	f.run(30 * time.Second)
	if got := c.member.Used().Of("orders"); math.Abs(got-25./30) > 0.05 {
		t.Errorf("the one with most of the demand has %.2f", got)
	}
	if sums := f.sums(from); slices.Min(sums) < 0.9 || slices.Max(sums) > 1.1 {
		t.Errorf("the sum is %.3f to %.3f, from 10 s after the change", slices.Min(sums), slices.Max(sums))
	}
	// All that is left is little: nobody speaks of the budget any more.
	a.load, b.load, c.load = 100, 100, 100
	f.run(120 * time.Second)
	puts := f.puts
	f.run(120 * time.Second)
	for _, m := range f.collectors {
		if got := m.member.Used().Of("orders"); math.Abs(got-1./3) > 0.01 {
			t.Errorf("%s has %.3f, expected a third", m.name, got)
		}
	}
	if f.puts != puts {
		t.Errorf("%d shares were written while nothing changed", f.puts-puts)
	}
}

func TestOneThatJoinsGetsItsPartAndTheSumHolds(t *testing.T) {
	f := newFleet(t, 3000)
	f.join(1, 10_000)
	f.run(20 * time.Second)
	if got := f.collectors[0].member.Used().Of("orders"); got != 1 {
		t.Fatalf("who is alone has %.2f", got)
	}
	from := f.elapsed()
	f.collectors[0].load = 5_000
	late := f.join(1, 5_000)
	late.member = slice.New(late.name, 2)
	f.run(40 * time.Second)
	if got := late.member.Used().Of("orders"); math.Abs(got-0.5) > 0.05 {
		t.Errorf("who joined has %.2f", got)
	}
	if sums := f.sums(from + 5*time.Second); slices.Max(sums) > 1.1 || slices.Min(sums) < 0.9 {
		t.Errorf("the sum is %.3f to %.3f", slices.Min(sums), slices.Max(sums))
	}
}

func TestWithEtcdAwayEachKeepsItsSlice(t *testing.T) {
	f := newFleet(t, 3000)
	f.join(3, 20_000)
	f.join(3, 5_000)
	f.run(30 * time.Second)
	f.bus.away = true
	before := []float64{f.collectors[0].member.Used().Of("orders"), f.collectors[1].member.Used().Of("orders")}
	from := f.elapsed()
	f.run(120 * time.Second)
	for i, c := range f.collectors {
		if got := c.member.Used().Of("orders"); got != before[i] {
			t.Errorf("%s has %.3f, expected the %.3f of before", c.name, got, before[i])
		}
	}
	if sums := f.sums(from); slices.Min(sums) < 0.9 || slices.Max(sums) > 1.1 {
		t.Errorf("the sum is %.3f to %.3f", slices.Min(sums), slices.Max(sums))
	}
	f.bus.away = false
	f.run(30 * time.Second)
}

func TestOneThatStartsWithoutEtcdUsesOneOfTheExpectedParts(t *testing.T) {
	f := newFleet(t, 3000)
	f.bus.away = true
	c := f.join(4, 10_000)
	f.run(10 * time.Second)
	if got := c.member.Used().Of("orders"); got != 0.25 {
		t.Errorf("it has %.3f", got)
	}
	f.bus.away = false
	f.run(20 * time.Second)
	if got := c.member.Used().Of("orders"); got != 1 {
		t.Errorf("it has %.3f once it is known to be alone", got)
	}
}

func TestOneWhoseLeaseEndedMeanwhileGivesWay(t *testing.T) {
	f := newFleet(t, 3000)
	for range 3 {
		f.join(3, 10_000)
	}
	f.run(30 * time.Second)
	lost := f.collectors[1]
	lost.cut = true
	f.run(30 * time.Second)
	if got := lost.member.Used().Of("orders"); math.Abs(got-1./3) > 0.02 {
		t.Errorf("the one that is cut off has %.3f, expected to keep its slice", got)
	}
	if got := f.collectors[0].member.Used().Of("orders"); math.Abs(got-1./2) > 0.02 {
		t.Errorf("another has %.3f, expected a half", got)
	}
	lost.cut = false
	lost.next, lost.lag = f.now, 0
	f.run(30 * time.Second)
	for _, c := range f.collectors {
		if got := c.member.Used().Of("orders"); math.Abs(got-1./3) > 0.02 {
			t.Errorf("%s has %.3f in the end", c.name, got)
		}
	}
}

func TestWhateverHappensTheSlicesStayBelow110Percent(t *testing.T) {
	for seed := range uint64(20) {
		f := newFleet(t, 3000)
		f.random = rand.New(rand.NewPCG(seed, 9))
		for range 2 + f.random.IntN(4) {
			f.join(2, float64(f.random.IntN(20_000)))
		}
		for range 60 { // check is called at each tick
			c := f.collectors[f.random.IntN(len(f.collectors))]
			switch f.random.IntN(6) {
			case 0:
				c.dead = true
				if len(f.collectors) < 9 {
					f.join(2, float64(f.random.IntN(20_000)))
				}
			default:
				c.load = float64(f.random.IntN(20_000))
			}
			f.run(time.Duration(f.random.IntN(4000)) * time.Millisecond)
		}
	}
}
