// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/election"
	"github.com/otelplat/platform/coord/lock"
)

// ElectionPlace makes electors for candidates of one place.
type ElectionPlace func(election.Candidate) (election.Elector, error)

// Election tests a kind of elector. Open returns a place without elections; the suite
// closes the electors.
func Election(t *testing.T, open func(t *testing.T) ElectionPlace) {
	for name, f := range map[string]func(*testing.T, ElectionPlace){
		"one leads, and the next when it resigns": electionOrder,
		"everybody knows who leads, and where":    electionObserve,
		"a campaign ends with its context":        electionContext,
		"Run leads until its work is done":        electionRun,
		"a leader that is closed leads no longer": electionClose,
		"what cannot be used is named":            electionNames,
		"elections of different names are apart":  electionApart,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

func elector(t *testing.T, place ElectionPlace, id string) election.Elector {
	t.Helper()
	e, err := place(election.Candidate{ID: id, Address: id + ":80"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close of %s: %v", id, err)
		}
	})
	return e
}

func mustLead(t *testing.T, e election.Elector, name string) *election.Leadership {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := e.Campaign(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func electionOrder(t *testing.T, place ElectionPlace) {
	a, b := elector(t, place, "a"), elector(t, place, "b")
	first := mustLead(t, a, "e")
	next := make(chan *election.Leadership, 1)
	go func() {
		l, err := b.Campaign(t.Context(), "e")
		if err != nil {
			t.Error(err)
		}
		next <- l
	}()
	if !first.Valid() {
		t.Error("the leader is not valid")
	}
	Eventually(t, patience, func() bool { return b.Status("e") == election.CandidateOnly }, "the second stands")
	if s := a.Status("e"); s != election.Elected {
		t.Errorf("the leader's status is %v", s)
	}
	if s := a.Status("other"); s != election.Follower {
		t.Errorf("the status where it does not stand is %v", s)
	}
	if err := first.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-first.Lost()
	second := <-next
	if a, b := a.Status("e"), b.Status("e"); a != election.Follower || b != election.Elected {
		t.Errorf("after it resigned the statuses are %v and %v", a, b)
	}
	if first.Valid() || !second.Valid() {
		t.Errorf("valid: the first %v, the second %v", first.Valid(), second.Valid())
	}
	if before, err := first.Token().Before(second.Token()); err != nil || !before {
		t.Errorf("the terms do not grow: %+v, %+v, %v", first.Token(), second.Token(), err)
	}
	if err := first.Resign(t.Context()); !errors.Is(err, lock.ErrNotHeld) {
		t.Errorf("resigned twice: %v", err)
	}
}

// awaitLeader reads until somebody leads, "" for nobody.
func awaitLeader(t *testing.T, leaders <-chan election.Leader, id string) election.Leader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		select {
		case l, open := <-leaders:
			if !open {
				t.Fatalf("the channel was closed before %q led", id)
			}
			if l.ID == id {
				return l
			}
		case <-ctx.Done():
			t.Fatalf("nobody saw %q lead", id)
		}
	}
}

func electionObserve(t *testing.T, place ElectionPlace) {
	a, b, reader := elector(t, place, "a"), elector(t, place, "b"), elector(t, place, "reader")
	ctx, cancel := context.WithCancel(t.Context())
	leaders, err := reader.Observe(ctx, "e")
	if err != nil {
		t.Fatal(err)
	}
	awaitLeader(t, leaders, "")
	if _, err := reader.Leader(t.Context(), "e"); !errors.Is(err, election.ErrNoLeader) {
		t.Errorf("before the first: %v", err)
	}
	first := mustLead(t, a, "e")
	if l := awaitLeader(t, leaders, "a"); l.Address != "a:80" || l.Term != first.Token().Revision {
		t.Errorf("leader %+v, token %+v", l, first.Token())
	}
	if l, err := reader.Leader(t.Context(), "e"); err != nil || l.ID != "a" {
		t.Errorf("leader %+v, %v", l, err)
	}
	if err := first.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitLeader(t, leaders, "")
	mustLead(t, b, "e")
	awaitLeader(t, leaders, "b")
	cancel()
	for range leaders { // until it is closed
		continue
	}
}

func electionContext(t *testing.T, place ElectionPlace) {
	a, b := elector(t, place, "a"), elector(t, place, "b")
	l := mustLead(t, a, "e")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := b.Campaign(ctx, "e")
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("campaign: %v", err)
	}
	if err := l.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustLead(t, a, "e") // nothing was left behind that would lead
	if _, err := b.Leader(ctx, "other"); !errors.Is(err, context.Canceled) {
		t.Errorf("leader: %v", err)
	}
}

func electionRun(t *testing.T, place ElectionPlace) {
	a, b := elector(t, place, "a"), elector(t, place, "b")
	done := errors.New("done")
	err := election.Run(t.Context(), a, "e", func(ctx context.Context) error {
		if l, err := a.Leader(ctx, "e"); err == nil && l.ID != "a" {
			t.Errorf("leader %+v", l)
		}
		return done
	})
	if !errors.Is(err, done) {
		t.Errorf("run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = election.Run(ctx, b, "e", func(ctx context.Context) error { // a has resigned
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	mustLead(t, a, "e")
}

func electionClose(t *testing.T, place ElectionPlace) {
	a, b := elector(t, place, "a"), elector(t, place, "b")
	l := mustLead(t, a, "e")
	leaders, err := a.Observe(t.Context(), "e")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	<-l.Lost()
	if l.Valid() {
		t.Error("it still leads")
	}
	for range leaders { // until it is closed
		continue
	}
	mustLead(t, b, "e")
	_, campaigned := a.Campaign(t.Context(), "e")
	_, led := a.Leader(t.Context(), "e")
	_, observed := a.Observe(t.Context(), "e")
	for name, err := range map[string]error{"campaign": campaigned, "leader": led, "observe": observed} {
		if !errors.Is(err, election.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func electionNames(t *testing.T, place ElectionPlace) {
	e := elector(t, place, "a")
	_, campaigned := e.Campaign(t.Context(), "a/b")
	_, led := e.Leader(t.Context(), "")
	_, observed := e.Observe(t.Context(), strings.Repeat("x", 200))
	_, unnamed := place(election.Candidate{})
	for what, err := range map[string]error{"campaign": campaigned, "leader": led, "observe": observed, "candidate": unnamed} {
		var n *coord.NameError
		if !errors.As(err, &n) {
			t.Errorf("%s: %v", what, err)
		}
	}
	var c *election.CandidateError
	if _, err := place(election.Candidate{ID: "a", Address: strings.Repeat("x", 300)}); !errors.As(err, &c) || c.Field != "address" {
		t.Errorf("address: %v", err)
	}
}

func electionApart(t *testing.T, place ElectionPlace) {
	a, b := elector(t, place, "a"), elector(t, place, "b")
	mustLead(t, a, "one")
	mustLead(t, b, "two")
	if l, err := a.Leader(t.Context(), "two"); err != nil || l.ID != "b" {
		t.Errorf("leader %+v, %v", l, err)
	}
}
