// SPDX-License-Identifier: Apache-2.0

package aggregate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/coord/signal/capacity"
)

// Limits of what one collector keeps. An instance takes about 15 kB.
const (
	DefaultMaxInstances = 10_000

	// maxShards bounds the shares of one service: 64 × 256 instances.
	maxShards = 256

	// maxOfService leaves room for shares that the hash fills more than others.
	maxOfService = maxShards * signal.MaxShareInstances / 2
)

// Why a measurement is not taken.
var (
	ErrFull        = errors.New("aggregate: too many instances")
	ErrUnannounced = errors.New("aggregate: too many instances that discovery does not announce")
	ErrPreferred   = errors.New("aggregate: a better source tells of the same requests")
	ErrRoutes      = errors.New("aggregate: too many routes; counted for the instance and the service")
)

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
	Zero    uint64 // faster than the first bucket
	Exact   bool   // without Buckets: all attempts are in bucket Offset of signal.Scale

	Route string // of the routing document that the requests took; "" none

	Source Source
	Covers time.Duration // what it is about, up to now; 0 is a second

	// Seen is how many attempts were looked at, where Count is an estimate of how many there
	// were: one sampled span that failed is no evidence of a hundred. 0: all of them.
	Seen uint64
}

// seen returns how many attempts the measurement is evidence of.
func (m *Measurement) seen() uint64 {
	if m.Seen > 0 {
		return m.Seen
	}
	return m.Count
}

// Aggregate is what a collector knows about all instances.
type Aggregate struct {
	base         time.Duration
	maxInstances int
	services     map[string]*service
	instances    int
	scopes       int
	admission    admission
	memo         [memoSize]remembered
}

// service holds the instances of one service, and how they are spread over shares.
type service struct {
	name        string
	instances   map[string]*instance
	scopes      map[string]*scope // by route; "" is the service as a whole
	whole       *scope            // that one, nil when there is none
	reporters   map[uint64]*reporter
	unannounced int
	shards      uint32
	dirty       map[uint32]bool // shards whose share is to be written; true: a verdict turned
	resharded   uint32          // the number of shards before, whose shares are to be deleted; 0 none
}

// New returns an empty aggregate. Base is the least time that a verdict is kept.
func New(base time.Duration, maxInstances int) *Aggregate {
	return &Aggregate{
		base: base, maxInstances: maxInstances, services: make(map[string]*service),
		admission: admission{of: make(map[uint64]int)},
	}
}

// Instances returns how many instances are known.
func (a *Aggregate) Instances() int { return a.instances }

// Record takes in what a caller measured. It returns [ErrFull] or [ErrUnannounced] for
// an instance beyond a limit, and [ErrPreferred] for what a better source of the same
// caller tells too. With [ErrRoutes] it is taken, but for its route.
func (a *Aggregate) Record(now time.Duration, caller uint64, t Target, m *Measurement) error {
	s := a.services[t.Service]
	if s != nil && s.prefers(now, caller, m.Source) {
		return ErrPreferred
	}
	s, in, err := a.instance(now, caller, s, t)
	if err != nil {
		return err
	}
	s.heard(now, caller, m)
	in.record(now, caller, m)
	return a.recordScopes(now, caller, s, m)
}

// Eject takes in that a router of the caller took an instance out of its rotation.
func (a *Aggregate) Eject(now time.Duration, caller uint64, t Target) error {
	_, in, err := a.instance(now, caller, a.services[t.Service], t)
	if err != nil {
		return err
	}
	in.heard(now, 0)
	if c := in.caller(caller); c != nil {
		c.slot(now).ejected = true
	}
	return nil
}

// Serve takes in what an instance says of itself, in the platform's own form or in that
// of standard metrics: the first goes before the other. An instance that nobody calls and
// that completed nothing is not kept for what it says.
func (a *Aggregate) Serve(now time.Duration, principal uint64, t Target, source Source, r capacity.Report) error {
	s := a.services[t.Service]
	if r.Completions == 0 && (s == nil || s.instances[t.Instance] == nil) {
		return nil
	}
	_, in, err := a.instance(now, principal, s, t)
	if err != nil {
		return err
	}
	switch {
	case source == Router:
		in.ownReport = now + preferredFor
	case now < in.ownReport:
		return ErrPreferred
	}
	covers := time.Duration(r.Covers * float64(time.Second))
	in.present(now, covers)
	r.InFlight = in.history.inFlight(now, covers)
	in.capacity.Add(now, r)
	return nil
}

func (a *Aggregate) service(name string) *service {
	s := a.services[name]
	if s == nil {
		s = &service{name: name, instances: make(map[string]*instance), scopes: make(map[string]*scope), shards: 1, dirty: make(map[uint32]bool)}
		a.services[name] = s
	}
	return s
}

// instance returns the record of an instance, made for the principal that tells of it
// when there is none.
func (a *Aggregate) instance(now time.Duration, by uint64, s *service, t Target) (*service, *instance, error) {
	var in *instance
	if s != nil {
		in = s.instances[t.Instance]
	}
	if in == nil {
		known := a.admission.announced(t)
		if a.instances >= a.maxInstances || s != nil && len(s.instances) >= maxOfService {
			return nil, nil, ErrFull
		}
		if known == nil && !a.admits(by, s, t.Service) {
			return nil, nil, ErrUnannounced
		}
		if s == nil {
			s = a.service(t.Service)
		}
		in = &instance{id: t.Instance, observed: observed{last: now}, by: by, announced: true}
		s.instances[t.Instance] = in
		a.instances++
		a.announce(s, in, known)
	}
	if !in.announced {
		in.variant, in.zone = t.Variant, t.Zone // there is nobody else to ask
	}
	return s, in, nil
}

// Look moves all verdicts on and forgets instances that nobody calls any more. The
// owner calls it several times a second, or [Aggregate.LookAt] for some services at a
// time.
func (a *Aggregate) Look(now time.Duration) { a.LookAt(now, a.Services()) }

// Services returns the names of the services that are known, in no order.
func (a *Aggregate) Services() []string {
	return slices.AppendSeq(make([]string, 0, len(a.services)), maps.Keys(a.services))
}

// LookAt is [Aggregate.Look] for the services that are named.
func (a *Aggregate) LookAt(now time.Duration, services []string) {
	clear(a.memo[:])
	for _, name := range services {
		if s := a.services[name]; s != nil {
			a.look(now, s)
		}
	}
}

func (a *Aggregate) look(now time.Duration, s *service) {
	second := secondOf(now)
	for id, in := range s.instances {
		if !in.touched && in.looked == second && in.written && !in.turned {
			continue // nothing came, and states end by the second
		}
		in.touched = false
		e := in.look(now, a.base)
		if in.latch.state == signal.Good && now-in.last >= forget {
			if in.written {
				s.mark(signal.ShardOf(id, s.shards), false)
			}
			a.forget(s, in)
			continue
		}
		if in.turned || !in.written {
			s.mark(signal.ShardOf(id, s.shards), in.turned)
			continue
		}
		if second != in.looked { // what is compared is of whole seconds
			in.looked = second
			if p := in.published(now, &e); in.released.moved(&p) {
				s.mark(signal.ShardOf(id, s.shards), false)
			}
		}
	}
	a.lookScopes(now, s)
	s.forgetReporters(now)
	s.reshard()
	if len(s.instances)+len(s.scopes)+len(s.reporters)+len(s.dirty) == 0 && s.resharded == 0 {
		delete(a.services, s.name)
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
	if shards != s.shards {
		s.spread(shards)
	}
}

// spread changes the number of shares; all are to be written.
func (s *service) spread(shards uint32) {
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
	mine := func(id string) bool { return signal.ShardOf(id, s.shards) == w.Shard }
	n := 0
	for id := range s.instances {
		if mine(id) {
			n++
		}
	}
	if n > signal.MaxShareInstances && s.shards < maxShards {
		s.reshard() // some came since the last look
		return nil, 0
	}
	for id, in := range s.instances {
		if !mine(id) || len(share.Instances) == signal.MaxShareInstances {
			continue
		}
		known := in.signal(now)
		share.Instances = append(share.Instances, known)
		in.released, in.written, in.turned = in.published(now, &known.Evidence), true, false
	}
	slices.SortFunc(share.Instances, func(x, y signal.Instance) int { return cmp.Compare(x.ID, y.ID) })
	if w.Shard == shardOfScopes {
		share.Scopes = s.publishScopes(now)
	}
	delete(s.dirty, w.Shard)
	stale, s.resharded = s.resharded, 0
	return share, stale
}

// TooLarge notes that a share is more bytes than may be written, and reports whether the
// service is spread over more of them now. If it is not, because it has the most that it
// may have, the share must be made smaller.
// Stale is what [Aggregate.Share] returned with it.
func (a *Aggregate) TooLarge(w Work, stale uint32) bool {
	s := a.services[w.Service]
	switch {
	case s == nil || s.shards != w.Shards:
		return true // changed since; it is pending again
	case s.shards == maxShards:
		return false
	}
	s.resharded = stale // of the layout that is given up nothing was written then
	s.spread(2 * s.shards)
	return true
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
		if len(s.scopes) > 0 {
			s.mark(shardOfScopes, true)
		}
	}
}

// String says how much is known.
func (a *Aggregate) String() string {
	return fmt.Sprintf("%d instances of %d services", a.instances, len(a.services))
}
