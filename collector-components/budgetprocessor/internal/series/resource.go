// SPDX-License-Identifier: Apache-2.0

package series

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// resource is one that sends as the service: when it was first seen, and the time of
// what it sent last. They answer what the first value of a cumulative series means
// that is folded: an exporter of cumulative series sends all of them each time, so
// that a series which appears in a resource that is known is a new one, and its whole
// value was added since the last export. Of a resource that just appeared nobody
// knows; its values count from the next one on. So it is with one of whose first export
// points were cut: series that appear later may be of that.
type resource struct {
	generation uint32
	first      time.Duration
	latest     pcommon.Timestamp // of exports before this one
	thinned    bool
}

const (
	resourceSize = 80

	// settle is how long a resource is new: its first export may come in parts.
	settle = 5 * time.Second
)

// resource returns what is known of a resource; nil when there is no room.
func (s *Service) resource(now time.Duration, hash uint64) *resource {
	r := s.resources[hash]
	if r == nil {
		if len(s.resources) >= maxResources || !s.fix(resourceSize) {
			return nil
		}
		r = &resource{first: now}
		s.resources[hash] = r
	}
	r.generation = s.generation
	return r
}

// settled says whether a series that appears in the resource is a new one.
func (r *resource) settled(now time.Duration) bool {
	return r != nil && !r.thinned && now-r.first >= settle
}
