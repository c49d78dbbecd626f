// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/endpoint"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/coord/signal/capacity"
)

var toA = Target{Service: "s", Instance: "a"}

func of(source Source, covers time.Duration) *Measurement {
	return &Measurement{Count: 30, Sum: 0.3, Source: source, Covers: covers}
}

func TestALesserSourceWaitsAsLongAsABetterOneIsHeard(t *testing.T) {
	a := New(base, 100)
	now := time.Hour
	record := func(source Source, covers time.Duration, want error) {
		t.Helper()
		if err := a.Record(now, 1, toA, of(source, covers)); !errors.Is(err, want) {
			t.Errorf("%v after the start: source %d: %v, want %v", now-time.Hour, source, err, want)
		}
	}
	record(Spans, 0, nil)
	record(Metrics, 60*time.Second, nil)
	record(Spans, 0, ErrPreferred)
	now += 119 * time.Second // the next report of a minute may be late
	record(Spans, 0, ErrPreferred)
	now += time.Second
	record(Spans, 0, nil)
	record(Router, 0, nil)
	record(Metrics, 60*time.Second, ErrPreferred)
	record(Spans, 0, ErrPreferred)
	now += 60 * time.Second
	record(Metrics, 60*time.Second, nil)
	a.Look(now + time.Hour)
	if n := len(a.services); n != 0 && len(a.services["s"].reporters) != 0 {
		t.Error("callers that are silent are not forgotten")
	}
}

func TestTheCallersWhoseSourcesAreRememberedAreBounded(t *testing.T) {
	a := New(base, 100)
	for i := range uint64(maxReporters) {
		if err := a.Record(time.Hour, i, toA, of(Metrics, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Record(time.Hour, maxReporters, toA, of(Metrics, 0)); !errors.Is(err, ErrPreferred) {
		t.Errorf("%v: its spans could not be told to wait", err)
	}
	if err := a.Record(time.Hour, maxReporters, toA, of(Router, 0)); err != nil {
		t.Errorf("%v: what a router measured always counts", err)
	}
}

func TestWhatIsToldOfOnceAMinuteIsKeptInBetween(t *testing.T) {
	f := newFleet(t)
	for range 3 {
		if err := f.Record(f.now, 1, toA, of(Metrics, time.Minute)); err != nil {
			t.Fatal(err)
		}
		f.Look(f.now)
		f.merged()
		for range 60 {
			f.second()
			if n := f.Instances(); n != 1 {
				t.Fatalf("%d instances between two reports", n)
			}
			if w := f.Pending(); len(w) != 0 {
				t.Fatalf("nothing is new between two reports, and yet %+v", w)
			}
		}
	}
	for range 31 {
		f.second()
	}
	if n := f.Instances(); n != 0 {
		t.Errorf("%d instances 30 s after a report did not come", n)
	}
}

func TestCapacityIsPublished(t *testing.T) {
	f := newFleet(t)
	serve := func(cpu float64, source Source) error {
		return f.Serve(f.now, 9, toA, source, capacity.Report{Completions: 100, CPU: cpu, Covers: 1, InRequests: cpu, Timed: true, Allocation: 4})
	}
	for range 20 {
		if err := serve(2, Router); err != nil {
			t.Fatal(err)
		}
		f.second(report{caller: "x", ok: 100})
	}
	in := f.merged().Instances["a"]
	if in.ServiceDemand < 19*time.Millisecond || in.ServiceDemand > 21*time.Millisecond || in.Parallelism < 4 {
		t.Errorf("a demand of %v and a parallelism of %g, want 20ms and at least 4", in.ServiceDemand, in.Parallelism)
	}
	if err := serve(100, Metrics); !errors.Is(err, ErrPreferred) {
		t.Errorf("%v: the instance's own form goes before standard metrics", err)
	}
	f.merged()
	for range 10 {
		if err := serve(3.5, Router); err != nil {
			t.Fatal(err)
		}
		f.second(report{caller: "x", ok: 100})
		if len(f.Pending()) > 0 {
			return
		}
	}
	t.Error("a demand that grew by three quarters is not written")
}

func TestAServerThatNobodyCallsAndThatServesNobodyIsNotKept(t *testing.T) {
	a := New(base, 100)
	if err := a.Serve(time.Hour, 1, toA, Router, capacity.Report{CPU: 1, Covers: 1}); err != nil || a.Instances() != 0 {
		t.Errorf("%v, %d instances", err, a.Instances())
	}
}

type directory []string

func (d directory) Services() []string { return []string{"s"} }
func (d directory) Members(string) (list []discovery.Member) {
	for _, id := range d {
		list = append(list, discovery.Member{Instance: discovery.Instance{ID: id, Zone: "z"}})
	}
	return list
}

func TestAnInstanceThatIsAnnouncedLaterGivesItsPlaceBack(t *testing.T) {
	a := New(base, 100)
	a.LimitUnannounced(2)
	record := func(id string) error {
		return a.Record(time.Hour, 1, Target{Service: "s", Instance: id, Zone: "told"}, of(Router, 0))
	}
	for i, want := range []error{nil, nil, ErrUnannounced} {
		if err := record(fmt.Sprint(i)); !errors.Is(err, want) {
			t.Errorf("instance %d: %v, want %v", i, err, want)
		}
	}
	a.Announce(endpoint.New(directory{"0", "5"}))
	if zone := a.services["s"].instances["0"].zone; zone != "z" {
		t.Errorf("zone %q: discovery says z", zone)
	}
	for _, id := range []string{"2", "5"} {
		if err := record(id); err != nil {
			t.Errorf("instance %s: %v", id, err)
		}
	}
	if err := record("3"); !errors.Is(err, ErrUnannounced) {
		t.Errorf("%v: the limit holds again", err)
	}
	a.Look(time.Hour + 31*time.Second)
	if a.Instances() != 0 || a.admission.unannounced != 0 || len(a.admission.of) != 0 {
		t.Errorf("%d instances, %+v are left", a.Instances(), a.admission)
	}
}

func TestAShareNeverHoldsMoreThanReadersTake(t *testing.T) {
	a := New(base, 10_000)
	now := time.Hour
	add := func(n int) {
		for i := range n {
			if err := a.Record(now, 1, Target{Service: "s", Instance: fmt.Sprint("i", i)}, of(Router, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(10)
	a.Look(now)
	w := a.Pending()[0]
	add(200) // between the look and the write
	if share, _ := a.Share(now, w); share != nil && len(share.Instances) > signal.MaxShareInstances {
		t.Errorf("a share of %d instances", len(share.Instances))
	}
	if len(a.Pending()) < 2 {
		t.Error("they are not pending in shares of their own")
	}
}

func TestAServersOwnSecondsDoNotMakeItsCallersMinutesFine(t *testing.T) {
	f := newFleet(t)
	for second := range 130 {
		if second%60 == 0 {
			if err := f.Record(f.now, 1, toA, of(Metrics, time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Serve(f.now, 9, toA, Router, capacity.Report{Completions: 100, CPU: 0.5, Covers: 1, Allocation: 4}); err != nil {
			t.Fatal(err)
		}
		f.second()
		if in := f.services["s"].instances["a"]; !in.coarse(f.now) {
			t.Fatal("what is known of single seconds is not of its callers")
		}
	}
	if n := f.services["s"].instances["a"].published(f.now, &signal.Evidence{}).requests; n == 0 {
		t.Error("the minute's requests are not compared")
	}
}
