// SPDX-License-Identifier: Apache-2.0

package ours

import (
	"time"

	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/coord/signal/capacity"
)

// OnChange makes the clients hear what collectors would write: a share of the instances,
// whole, when one of them moved by more than noise and by enough to matter, or was condemned
// or forgiven. Without it they hear everything in every period.
//
// A rate or a latency that moved is a reason for a write too; it is left out here, so that
// what a fleet hears is fresher than this, never staler.
func OnChange() Option { return func(f *family) { f.released = map[uint32]*release{} } }

// release is the share that the clients know, and what it said of each instance.
type release struct {
	share *signal.Share
	said  map[string]said
}

type said struct {
	estimate capacity.Estimate
	state    signal.State
}

// shards returns how many shares a service of so many instances is written in: the least
// power of two with which each holds what fits.
func shards(members []string) uint32 {
	for n := uint32(1); ; n *= 2 {
		in := make([]int, n)
		fullest := 0
		for _, id := range members {
			at := signal.ShardOf(id, n)
			in[at]++
			fullest = max(fullest, in[at])
		}
		if fullest <= signal.MaxShareInstances {
			return n
		}
	}
}

// release returns the shares that the clients know after a period in which instances were
// measured as given.
func (f *family) release(instances []signal.Instance, now time.Duration) []*signal.Share {
	ids := make([]string, len(instances))
	for i := range instances {
		ids[i] = instances[i].ID
	}
	of := shards(ids)
	var known []*signal.Share
	for shard := range of {
		next := &release{share: &signal.Share{Service: service, Collector: "c", Shard: shard, Shards: of}, said: map[string]said{}}
		was := f.released[shard]
		moved := was == nil
		for i := range instances {
			in := &instances[i]
			if signal.ShardOf(in.ID, of) != shard {
				continue
			}
			s := said{f.models[i].Estimate(now), in.Latch.State}
			next.share.Instances = append(next.share.Instances, *in)
			next.said[in.ID] = s
			if was != nil && (was.said[in.ID].state != s.state || was.said[in.ID].estimate.Moved(s.estimate)) {
				moved = true
			}
		}
		if moved {
			f.released[shard] = next
		}
		known = append(known, f.released[shard].share)
	}
	return known
}
