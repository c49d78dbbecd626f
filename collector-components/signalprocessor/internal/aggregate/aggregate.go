// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/otelplat/platform/coord/signal"
)

// Limits of what one collector keeps. An instance takes about 15 kB.
const (
	DefaultMaxInstances = 10_000

	// maxShards bounds the shares of one service: 64 × 256 instances.
	maxShards = 256

	// maxOfService leaves room for shares that the hash fills more than others.
	maxOfService = maxShards * signal.MaxShareInstances / 2
)

// ErrFull is returned for a measurement of one more instance than the limit.
var ErrFull = errors.New("aggregate: too many instances")

// Outcome is how attempts ended.
type Outcome uint8

// The outcomes.
const (
	OK Outcome = iota
	Error
	Timeout
	Refused
	Cancelled
)

// Target is an instance as callers name it.
type Target struct{ Service, Instance, Variant, Zone string }

// Measurement is what one caller reports about attempts that ended alike.
type Measurement struct {
	Outcome Outcome
	Count   uint64
	Sum     float64 // seconds, of all attempts
	Scale   int32   // of the buckets
	Offset  int32   // index of the first
	Buckets []uint64
}

// Aggregate is what a collector knows about all instances.
type Aggregate struct {
	base         time.Duration
	maxInstances int
	services     map[string]*service
	instances    int
}

// service holds the instances of one service, and how they are spread over shares.
type service struct {
	name      string
	instances map[string]*instance
	shards    uint32
	dirty     map[uint32]bool // shards whose share is to be written; true: a verdict turned
	resharded uint32          // the number of shards before, whose shares are to be deleted; 0 none
}

// New returns an empty aggregate. Base is the least time that a verdict is kept.
func New(base time.Duration, maxInstances int) *Aggregate {
	return &Aggregate{base: base, maxInstances: maxInstances, services: make(map[string]*service)}
}

// Instances returns how many instances are known.
func (a *Aggregate) Instances() int { return a.instances }

// Record takes in what a caller measured. It returns [ErrFull] for an instance
// beyond the limit.
func (a *Aggregate) Record(now time.Duration, caller uint64, t Target, m *Measurement) error {
	in, err := a.instance(now, t)
	if err != nil {
		return err
	}
	in.history.record(now, m)
	if m.Outcome == Cancelled {
		return nil
	}
	if c := in.caller(caller); c != nil {
		s := c.slot(now)
		s.requests += m.Count
		if m.Outcome != OK {
			s.failures += m.Count
		}
	}
	return nil
}

// Eject takes in that a router of the caller took an instance out of its rotation.
func (a *Aggregate) Eject(now time.Duration, caller uint64, t Target) error {
	in, err := a.instance(now, t)
	if err != nil {
		return err
	}
	if c := in.caller(caller); c != nil {
		c.slot(now).ejected = true
	}
	return nil
}

func (a *Aggregate) instance(now time.Duration, t Target) (*instance, error) {
	s := a.services[t.Service]
	var in *instance
	if s != nil {
		in = s.instances[t.Instance]
	}
	if in == nil {
		if a.instances >= a.maxInstances || s != nil && len(s.instances) >= maxOfService {
			return nil, ErrFull
		}
		if s == nil {
			s = &service{name: t.Service, instances: make(map[string]*instance), shards: 1, dirty: make(map[uint32]bool)}
			a.services[t.Service] = s
		}
		in = &instance{id: t.Instance}
		s.instances[t.Instance] = in
		a.instances++
	}
	in.variant, in.zone, in.last = t.Variant, t.Zone, now
	return in, nil
}

// Look moves all verdicts on and forgets instances that nobody calls any more.
// The owner calls it several times a second.
func (a *Aggregate) Look(now time.Duration) {
	for name, s := range a.services {
		for id, in := range s.instances {
			in.look(now, a.base)
			shard := signal.ShardOf(id, s.shards)
			if in.latch.state == signal.Good && now-in.last >= forget {
				delete(s.instances, id)
				a.instances--
				if in.released != nil {
					s.mark(shard, false)
				}
				continue
			}
			if in.turned || in.released == nil {
				s.mark(shard, in.turned)
				continue
			}
			known := in.signal(now)
			if in.released.moved(publishedOf(&known)) {
				s.mark(shard, false)
			}
		}
		s.reshard()
		if len(s.instances) == 0 && len(s.dirty) == 0 && s.resharded == 0 {
			delete(a.services, name)
		}
	}
}

func (s *service) mark(shard uint32, turned bool) { s.dirty[shard] = s.dirty[shard] || turned }

// reshard doubles the number of shares until each holds what fits. It never
// shrinks, but for a service that was forgotten: a smaller number would gain
// nothing.
func (s *service) reshard() {
	shards := s.shards
	for s.fullest(shards) > signal.MaxShareInstances && shards < maxShards {
		shards *= 2
	}
	if shards == s.shards {
		return
	}
	if s.resharded == 0 {
		s.resharded = s.shards
	}
	s.shards = shards
	clear(s.dirty)
	for i := range shards {
		s.dirty[i] = true
	}
}

// fullest returns how many instances the fullest of so many shares holds.
func (s *service) fullest(shards uint32) int {
	if len(s.instances) <= signal.MaxShareInstances {
		return len(s.instances)
	}
	counts, most := make([]int, shards), 0
	for id := range s.instances {
		i := signal.ShardOf(id, shards)
		counts[i]++
		most = max(most, counts[i])
	}
	return most
}

// Work is one share that is to be written, or deleted when it holds nothing.
type Work struct {
	Service string
	Shard   uint32
	Shards  uint32
	Urgent  bool // a verdict turned
}

// Pending returns the shares that are to be written, urgent ones first.
func (a *Aggregate) Pending() []Work {
	var list []Work
	for _, name := range slices.Sorted(maps.Keys(a.services)) {
		s := a.services[name]
		for shard, urgent := range s.dirty {
			list = append(list, Work{name, shard, s.shards, urgent})
		}
	}
	slices.SortStableFunc(list, func(x, y Work) int {
		switch {
		case x.Urgent == y.Urgent:
			return 0
		case x.Urgent:
			return -1
		}
		return 1
	})
	return list
}

// Share returns the share that a piece of work is about, and notes that it is
// published. An empty share is to be deleted. Stale is the former number of
// shards, 0 when it did not change: the service's shares under it are to be
// deleted with this write.
func (a *Aggregate) Share(now time.Duration, w Work) (share *signal.Share, stale uint32) {
	s := a.services[w.Service]
	if s == nil || s.shards != w.Shards {
		return nil, 0 // changed since; it is pending again
	}
	share = &signal.Share{Service: w.Service, Shard: w.Shard, Shards: w.Shards}
	for id, in := range s.instances {
		if signal.ShardOf(id, s.shards) != w.Shard {
			continue
		}
		known := in.signal(now)
		share.Instances = append(share.Instances, known)
		in.released, in.turned = publishedOf(&known), false
	}
	slices.SortFunc(share.Instances, func(x, y signal.Instance) int {
		if x.ID < y.ID {
			return -1
		}
		return 1
	})
	delete(s.dirty, w.Shard)
	stale, s.resharded = s.resharded, 0
	return share, stale
}

// Failed notes that a share was not written.
func (a *Aggregate) Failed(w Work, stale uint32) {
	s := a.services[w.Service]
	if s == nil {
		return
	}
	if s.shards == w.Shards {
		s.mark(w.Shard, w.Urgent)
	}
	if stale != 0 && s.resharded == 0 {
		s.resharded = stale
	}
}

// Rewrite marks every share: the lease is gone, and they with it.
func (a *Aggregate) Rewrite() {
	for _, s := range a.services {
		for id := range s.instances {
			s.mark(signal.ShardOf(id, s.shards), true)
		}
	}
}

// String says how much is known.
func (a *Aggregate) String() string {
	return fmt.Sprintf("%d instances of %d services", a.instances, len(a.services))
}
