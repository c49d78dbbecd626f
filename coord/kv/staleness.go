// SPDX-License-Identifier: Apache-2.0

package kv

import (
	"math"
	"time"
)

// Staleness is how old what a read returns may be.
type Staleness time.Duration

const (
	// Current reads see every write that was answered before they began: linearizable.
	Current Staleness = 0

	// AnyAge reads see what is near: a copy in this process, of whatever age, else what one
	// member of etcd has, without asking the others. They go on while etcd is away if
	// there is a copy ([WithCopy]).
	AnyAge Staleness = math.MaxInt64
)

// ReadOption says how current a read has to be; without one it is [Current].
type ReadOption func(*Staleness)

// MaxAge allows an answer that was current this long ago: from the copy in this process
// when that is as young, else from etcd.
func MaxAge(d time.Duration) ReadOption { return func(s *Staleness) { *s = Staleness(max(d, 0)) } }

// Local allows an answer of [AnyAge].
func Local() ReadOption { return func(s *Staleness) { *s = AnyAge } }

func staleness(opts []ReadOption) Staleness {
	s := Current
	for _, o := range opts {
		o(&s)
	}
	return s
}
