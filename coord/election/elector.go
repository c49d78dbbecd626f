// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/lock"
)

var (
	// ErrNoLeader is returned by [Elector.Leader] while nobody leads.
	ErrNoLeader = errors.New("election: no leader")

	// ErrClosed is returned after Close.
	ErrClosed = errors.New("election: closed")
)

// MaxAddress bounds a candidate's address, in bytes.
const MaxAddress = 256

// Candidate is who stands for election.
type Candidate struct {
	ID      string // as [coord.CheckName] wants it; the id of the instance in discovery
	Address string // where others reach the leader; optional
}

// CandidateError says which field of a candidate cannot be used.
type CandidateError struct {
	Field  string
	Reason string
}

func (e *CandidateError) Error() string { return "election: " + e.Field + " " + e.Reason }

func (c *Candidate) check() error {
	if err := coord.CheckName("candidate", c.ID); err != nil {
		return err
	}
	if len(c.Address) > MaxAddress || !utf8.ValidString(c.Address) {
		return &CandidateError{"address", fmt.Sprintf("has %d bytes, want UTF-8 and at most %d", len(c.Address), MaxAddress)}
	}
	return nil
}

// Leader is who leads. The zero value is nobody.
type Leader struct {
	Candidate
	Term int64 // greater for each later leader of an epoch; the Token's revision
}

// Elector holds elections. Its methods are safe for concurrent use. A name is as
// [coord.CheckName] wants it ([*coord.NameError]).
type Elector interface {
	// Campaign waits until this candidate leads. It returns the context's error, with
	// nothing left behind, or [ErrClosed].
	Campaign(ctx context.Context, name string) (*Leadership, error)

	// Leader returns who leads, as far as this process knows, or [ErrNoLeader]. It
	// waits for the first look only.
	Leader(ctx context.Context, name string) (Leader, error)

	// Status returns where this elector stands, without asking anybody: [Elected] only
	// while a leadership that its campaigns won is provably held.
	Status(name string) Status

	// Observe sends who leads, now and after each change, the zero value for nobody.
	// A slow reader misses what came between. The channel is closed when the context
	// ends or the elector is closed.
	Observe(ctx context.Context, name string) (<-chan Leader, error)

	// Close resigns everywhere and ends all campaigns. It is idempotent.
	Close() error
}

// Leadership is that of one term. Its methods are safe for concurrent use.
type Leadership struct {
	held lock.Held
}

// Token names the term: see package lock.
func (l *Leadership) Token() lock.Token { return l.held.Token() }

// Valid reports whether this candidate provably leads now.
func (l *Leadership) Valid() bool { return l.held.Valid() }

// Lost returns a channel that is closed when Valid turns false, by Resign too.
func (l *Leadership) Lost() <-chan struct{} { return l.held.Lost() }

// Resign gives the leadership up. It returns [lock.ErrLost] when it had been lost
// before, and [lock.ErrNotHeld] the second time.
func (l *Leadership) Resign(ctx context.Context) error { return l.held.Unlock(ctx) }

// campaign is how both electors come to a leadership.
func campaign(ctx context.Context, locks lock.Locker, s *standings, name string) (l *Leadership, err error) {
	s.begin(name)
	defer func() { s.end(name, l) }()
	held, err := locks.Lock(ctx, name)
	if errors.Is(err, lock.ErrClosed) {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	return &Leadership{held}, nil
}
