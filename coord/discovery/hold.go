// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Member is an instance as a directory sees it.
type Member struct {
	Instance

	// Unconfirmed says that the instance vanished together with many others and
	// may well be alive: one refused connection speaks against it, one success
	// for it.
	Unconfirmed bool

	// Contradicted says that the instance is up by its own word, and bad by what its
	// callers measured ([WithVerdicts]); Figures are those. It is for people and their
	// tools: a router judges by the signals themselves, within its bounds.
	Contradicted bool
	Figures      string
}

// State returns what is known of the member in one word: its own status, [Unconfirmed] or
// [Contradicted].
func (m *Member) State() Status {
	switch {
	case m.Unconfirmed:
		return Unconfirmed
	case m.Contradicted:
		return Contradicted
	}
	return m.Status
}

const (
	// minHold is the least time that instances which vanished together are kept.
	minHold = 60 * time.Second

	holdTTLs = 3 // or that many TTLs, if longer
)

// hold is the pure core of a directory: what was announced and what vanished, of
// one service. It has no clock; times are monotonic and given by the caller.
type hold struct {
	ttl     time.Duration
	present map[string]Instance
	lost    map[string]loss
}

// loss is an instance that vanished without saying that it would.
type loss struct {
	instance Instance
	at       time.Time
	held     bool      // kept as unconfirmed
	until    time.Time // when held
}

func newHold(ttl time.Duration) *hold {
	return &hold{ttl: ttl, present: make(map[string]Instance), lost: make(map[string]loss)}
}

// expect sets the TTL of what is announced. While something is lost it only grows:
// the TTL of what is gone still counts.
func (h *hold) expect(ttl time.Duration) {
	if len(h.lost) > 0 {
		ttl = max(ttl, h.ttl)
	}
	h.ttl = ttl
}

// left notes that an instance said it would go, before it went.
func (h *hold) left(id string) {
	if in, ok := h.present[id]; ok {
		in.Status = Down
		h.present[id] = in
	}
}

func (h *hold) holdFor() time.Duration { return max(minHold, holdTTLs*h.ttl) }

// update takes over what is announced now. newEpoch says that etcd's history
// changed, so that what is missing says nothing.
func (h *hold) update(now time.Time, announced map[string]Instance, newEpoch bool) {
	for id, in := range h.present {
		if _, still := announced[id]; !still && in.Status != Down {
			h.lost[id] = loss{instance: in, at: now}
		}
	}
	h.present = announced
	for id := range announced {
		delete(h.lost, id)
	}
	h.judge(now, newEpoch)
}

// judge decides which losses of one TTL happened together. Of the instances that
// there were at the TTL's beginning more than half must have gone.
func (h *hold) judge(now time.Time, newEpoch bool) {
	recent, held := 0, 0
	for _, l := range h.lost {
		switch {
		case l.held:
			held++
		case now.Sub(l.at) <= h.ttl:
			recent++
		}
	}
	// Those that are held already are part of the same trouble: one more that
	// goes while they are missing is judged together with them.
	if gone, before := recent+held, len(h.present)+recent+held; recent == 0 || (2*gone <= before && !newEpoch) {
		return
	}
	for id, l := range h.lost {
		if !l.held && now.Sub(l.at) <= h.ttl {
			l.held, l.until = true, now.Add(h.holdFor())
			h.lost[id] = l
		}
	}
}

// expire forgets losses whose time is over, and returns when to look again, zero
// when there is nothing to wait for.
func (h *hold) expire(now time.Time) (next time.Time) {
	for id, l := range h.lost {
		end := l.at.Add(h.ttl)
		if l.held {
			end = l.until
		}
		if !now.Before(end) {
			delete(h.lost, id)
			continue
		}
		if next.IsZero() || end.Before(next) {
			next = end
		}
	}
	return next
}

// members returns who is there, in the order of ids: those that are up or
// draining as announced, and those that are held.
func (h *hold) members() []Member {
	list := make([]Member, 0, len(h.present)+len(h.lost))
	for _, in := range h.present {
		list = append(list, Member{Instance: in})
	}
	for l := range maps.Values(h.lost) {
		if l.held {
			list = append(list, Member{Instance: l.instance, Unconfirmed: true})
		}
	}
	slices.SortFunc(list, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
