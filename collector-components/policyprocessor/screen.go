// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"slices"

	"github.com/otelplat/platform/policy/compile"
)

// screen tells of an item, by a look at a path or a few, that a question has nothing to
// say to it.
type screen struct {
	guards []probe
	covers [][]probe
}

// probe is a look at one path of the input.
type probe struct {
	look *compile.Look
	at   where
	n    int // of the attribute, or of what is looked at once for a place
}

// where is how a path is read.
type where uint8

const (
	ofPlace      where = iota // resource, scope, signal: once for all items of a place
	ofAttributes              // of the item: all that are looked at, in one pass
	ofItem                    // another field of the item, or deeper
)

func newScreen(s *compile.Screen) *screen {
	if s == nil {
		return nil
	}
	probes := func(looks []*compile.Look) (list []probe) {
		for _, look := range looks {
			p := probe{look: look, at: ofItem}
			switch path := look.Path; {
			case path[0] != "item":
				p.at = ofPlace
			case len(path) == 3 && path[1] == "attributes":
				p.at = ofAttributes
			}
			list = append(list, p)
		}
		// What costs least goes first.
		slices.SortStableFunc(list, func(a, b probe) int { return int(a.at) - int(b.at) })
		return list
	}
	out := &screen{guards: probes(s.Guards)}
	for _, cover := range s.Covers {
		out.covers = append(out.covers, probes(cover))
	}
	return out
}

// screens are those of all questions of a revision, with what they look at.
type screens struct {
	keys   []string // attributes of items
	widths uint64   // a bit for each length of a key, those from 63 on together
	places []probe
}

// gather numbers what the questions' screens look at.
func gather(list []*question) (s screens) {
	number := func(probes []probe) {
		for i := range probes {
			p := &probes[i]
			switch p.at {
			case ofAttributes:
				key := p.look.Path[2]
				if p.n = slices.Index(s.keys, key); p.n < 0 {
					p.n = len(s.keys)
					s.keys = append(s.keys, key)
					s.widths |= width(key)
				}
			case ofPlace:
				p.n = len(s.places)
				s.places = append(s.places, *p)
			}
		}
	}
	for _, q := range list {
		if q.screen != nil {
			number(q.screen.guards)
			for _, cover := range q.screen.covers {
				number(cover)
			}
		}
	}
	return s
}

func width(key string) uint64 { return 1 << min(len(key), 63) }

// screening is the state of a batch's screens at one item after another.
type screening struct {
	*screens
	view   *view
	missed []bool          // by place
	values []compile.Value // of the item's attributes
	read   uint64          // which of the values are the item's, a bit each
}

func newScreening(s *screens, v *view) screening {
	return screening{screens: s, view: v, missed: make([]bool, len(s.places)), values: make([]compile.Value, len(s.keys))}
}

// enter looks once at what is the same for all items of a place.
func (s *screening) enter() {
	for i, p := range s.places {
		s.missed[i] = p.look.Misses(s.view.find(p.look.Path))
	}
}

// misses reports that a question has nothing to say to the item that the view shows.
func (s *screening) misses(c *screen) bool {
	for i := range c.guards {
		if !s.miss(&c.guards[i]) {
			return false
		}
	}
next:
	for _, cover := range c.covers {
		for i := range cover {
			if !s.miss(&cover[i]) {
				continue next
			}
		}
		return true
	}
	return false
}

func (s *screening) miss(p *probe) bool {
	switch p.at {
	case ofPlace:
		return s.missed[p.n]
	case ofAttributes:
		if p.n >= 64 || s.read&(1<<p.n) == 0 {
			s.readAttribute(p.n)
		}
		return p.look.Misses(s.values[p.n])
	}
	return p.look.Misses(s.view.find(p.look.Path))
}

// few is up to how many attributes are found one by one, when they are asked for; more
// are read in one pass, in which most keys are passed over by their length.
const few = 4

func (s *screening) readAttribute(n int) {
	m := s.view.ofItem
	if len(s.keys) <= few || n >= 64 {
		s.read |= 1 << n
		if v, ok := m.Get(s.keys[n]); ok {
			s.values[n] = native(v)
		} else {
			s.values[n] = compile.Value{}
		}
		return
	}
	s.read = ^uint64(0)
	clear(s.values)
	for key, v := range m.All() {
		if s.widths&width(key) == 0 {
			continue
		}
		for i := range s.keys {
			if s.keys[i] == key {
				if !s.values[i].IsDefined() { // of a key that was sent twice the first counts
					s.values[i] = native(v)
				}
				break
			}
		}
	}
}

// missesAll reports that none of the questions has anything to say to the item.
func (s *screening) missesAll(list []*question) bool {
	for _, q := range list {
		if !s.misses(q.screen) {
			return false
		}
	}
	return true
}
