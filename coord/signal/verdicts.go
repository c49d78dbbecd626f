// SPDX-License-Identifier: Apache-2.0

package signal

import (
	"context"
	"sync"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/internal/wake"
)

// Verdicts returns what a source says of instances in the form that
// [discovery.WithVerdicts] takes. It follows every service that it is asked about, until the
// context ends; close the source after that.
func Verdicts(ctx context.Context, s Source) discovery.Verdicts {
	j := &judges{ctx: ctx, source: s, followers: make(map[string]Follower)}
	return discovery.Verdicts{
		Bad:     j.bad,
		Updates: func(ctx context.Context) <-chan struct{} { return j.changed.Add(ctx, nil) },
	}
}

type judges struct {
	ctx     context.Context // the caller's: its end is that of all that was started
	source  Source
	changed wake.Set

	mu        sync.Mutex
	followers map[string]Follower // nil for a service that cannot be followed
}

func (j *judges) bad(service, instance string) (string, bool) {
	f := j.follower(service)
	if f == nil {
		return "", false
	}
	fleet := f.Fleet()
	if fleet == nil {
		return "", false
	}
	s := fleet.Instances[instance]
	if s == nil || s.Verdict.State != Bad {
		return "", false
	}
	return s.Verdict.String(), true
}

// follower returns the follower of a service, which it starts to follow when it is asked
// for the first time.
func (j *judges) follower(service string) Follower {
	j.mu.Lock()
	defer j.mu.Unlock()
	if f, known := j.followers[service]; known || j.ctx.Err() != nil {
		return f
	}
	f, err := j.source.Service(j.ctx, service) // starts it, and does not wait
	if err != nil {
		f = nil // one more than the source follows: nothing is said of it
	}
	j.followers[service] = f
	if f != nil {
		go func() { // ends with the context or the source
			for range f.Updates(j.ctx) {
				j.changed.Notify()
			}
		}()
	}
	return f
}
