// SPDX-License-Identifier: Apache-2.0

package election

import (
	"slices"
	"sync"
)

// Status is where this process stands in an election.
type Status uint8

// The statuses.
const (
	Follower      Status = iota // it does not stand
	CandidateOnly               // it campaigns, and does not lead
	Elected                     // it provably leads now
)

func (s Status) String() string {
	switch s {
	case CandidateOnly:
		return "candidate"
	case Elected:
		return "elected"
	default:
		return "follower"
	}
}

// standings are the campaigns and terms of one elector. The zero value has none.
type standings struct {
	mu     sync.Mutex
	byName map[string]*standing
}

type standing struct {
	campaigns int
	terms     []*Leadership // that were valid when one was added last
}

func (s *standings) begin(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName == nil {
		s.byName = make(map[string]*standing)
	}
	if s.byName[name] == nil {
		s.byName[name] = &standing{}
	}
	s.byName[name].campaigns++
}

// end is told of what came of a campaign: a term, or nil.
func (s *standings) end(name string, l *Leadership) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.byName[name]
	at.campaigns--
	at.terms = slices.DeleteFunc(at.terms, func(t *Leadership) bool { return !t.Valid() })
	switch {
	case l != nil:
		at.terms = append(at.terms, l)
	case at.campaigns == 0 && len(at.terms) == 0:
		delete(s.byName, name)
	}
}

func (s *standings) status(name string) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.byName[name]
	switch {
	case at == nil:
		return Follower
	case slices.ContainsFunc(at.terms, (*Leadership).Valid):
		return Elected
	case at.campaigns > 0:
		return CandidateOnly
	}
	delete(s.byName, name)
	return Follower
}
