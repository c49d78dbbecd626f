// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// experienced returns a pool of which each instance answered n times, and what doubts it.
func experienced(n int, took []time.Duration, failed []bool) (*Pool, func(now time.Duration) []bool) {
	p := New(Default(), nil)
	var members []Member
	for i := range took {
		members = append(members, Member{ID: fmt.Sprint("i", i), Weight: 1, InService: true})
	}
	p.Update(0, members, nil)
	for i, node := range p.sorted {
		for k := range n {
			node.experience.add(time.Second, took[i], failed != nil && failed[i] && k%3 == 0)
		}
	}
	var d doubts
	return p, func(now time.Duration) (list []bool) {
		d.look(p.table.Load().rotation, now)
		for _, node := range p.sorted {
			list = append(list, node.doubted.Load())
		}
		return list
	}
}

func TestWhoIsDoubted(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		answers int
		took    []time.Duration
		failed  []bool
		after   time.Duration
		want    []bool
	}{
		"nobody, of alike":                       {20, []time.Duration{10 * ms, 12 * ms, 9 * ms}, nil, 0, []bool{false, false, false}},
		"who takes much longer":                  {20, []time.Duration{10 * ms, 50 * ms, 9 * ms}, nil, 0, []bool{false, true, false}},
		"of two the slower one":                  {20, []time.Duration{10 * ms, 50 * ms}, nil, 0, []bool{false, true}},
		"not who takes a little longer":          {20, []time.Duration{1 * ms, 3 * ms, 1 * ms}, nil, 0, []bool{false, false, false}},
		"nobody, by few answers":                 {7, []time.Duration{10 * ms, 50 * ms, 9 * ms}, nil, 0, []bool{false, false, false}},
		"nobody, by what is long past":           {20, []time.Duration{10 * ms, 50 * ms, 9 * ms}, nil, 5 * time.Second, []bool{false, false, false}},
		"who fails, as fast as it may be":        {20, []time.Duration{10 * ms, 1 * ms, 9 * ms}, []bool{false, true, false}, 0, []bool{false, true, false}},
		"nobody, where all fail alike":           {20, []time.Duration{10 * ms, 10 * ms, 9 * ms}, []bool{true, true, true}, 0, []bool{false, false, false}},
		"nobody, where there is nothing else":    {20, []time.Duration{50 * ms}, nil, 0, []bool{false}},
		"nobody, where all are as slow as it is": {20, []time.Duration{50 * ms, 50 * ms, 49 * ms}, nil, 0, []bool{false, false, false}},
	} {
		_, look := experienced(c.answers, c.took, c.failed)
		if got := look(time.Second + c.after); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestDoubtEndsWithWhatGaveRiseToIt(t *testing.T) {
	const ms = time.Millisecond
	p, look := experienced(100, []time.Duration{10 * ms, 50 * ms, 9 * ms}, nil)
	if !look(time.Second)[1] {
		t.Fatal("not doubted")
	}
	for i := range 100 {
		p.sorted[1].experience.add(time.Second+time.Duration(i)*ms, 10*ms, false)
	}
	if look(1200 * ms)[1] {
		t.Error("a hundred answers like the others' later it is still doubted")
	}
}

func TestADoubtedInstanceGetsARequestWhereAllAreDoubted(t *testing.T) {
	p, _ := experienced(0, []time.Duration{1, 1, 1}, nil)
	for _, n := range p.sorted {
		n.doubted.Store(true)
	}
	r := Request{Random: rand.IntN}
	for range 100 {
		if i := bestDrawn(p.table.Load().rotation, r, true); i < 0 {
			t.Fatal("nobody")
		}
	}
	p.sorted[0].doubted.Store(false)
	got := 0
	for range 1000 {
		if bestDrawn(p.table.Load().rotation, r, true) == 0 {
			got++
		}
	}
	if got < 600 || got == 1000 {
		t.Errorf("the one that is not doubted got %d of 1000, want most, and some by chance for the others", got)
	}
}

func TestToLookForDoubtAllocatesNothing(t *testing.T) {
	p, _ := experienced(20, make([]time.Duration, 100), nil)
	var d doubts
	c, now := p.table.Load().rotation, time.Second
	d.look(c, now)
	if n := testing.AllocsPerRun(10, func() { now += time.Second; d.look(c, now) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
