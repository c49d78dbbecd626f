// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/internal/wake"
)

// maxServices bounds how many services one process follows, as coord/signal does.
const maxServices = 1000

// ErrClosed is returned by [Source.Follow] after Close.
var ErrClosed = errors.New("rules: source is closed")

// TooManyError says that a source follows as many services as it may.
type TooManyError struct {
	Service string // that was asked for
	Limit   int
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("rules: service %q is one more than the %d that one source follows", e.Service, e.Limit)
}

// RefusedError says that the newest document of a service is not in force.
type RefusedError struct {
	Service  string
	Revision int64
	Err      error // an [*Error]
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("rules: revision %d for service %q is not in force: %v", e.Revision, e.Service, e.Err)
}

// Unwrap returns what is wrong with the document.
func (e *RefusedError) Unwrap() error { return e.Err }

// Source tells what holds for services: [Etcd] and [Memory]. An implementation runs
// coordtest.Rules. Its methods are safe for concurrent use.
type Source interface {
	// Follow returns the follower of one service, which lives until the source is closed;
	// asking again returns the same one. It returns [*coord.NameError] for a name that no
	// service, or its document, can have, [*TooManyError] and [ErrClosed].
	Follow(ctx context.Context, service string) (Follower, error)

	// Close ends all followers and waits for them. It is idempotent.
	Close() error
}

// Follower holds the table of one service. Reads take no lock and never wait.
type Follower interface {
	// Table returns the table in force, never nil: the defaults until a good document was
	// loaded, and when there is none. A bad one changes nothing.
	Table() *Table

	// State tells what is in force.
	State() State

	// WaitReady waits until it is known whether there is a document, good or bad.
	WaitReady(ctx context.Context) error

	// Updates returns a channel that is sent to when the table or the state changed, at
	// once when they are loaded, and closed when the context or the source ends. It holds
	// one mark.
	Updates(ctx context.Context) <-chan struct{}
}

// State says which document is in force.
type State struct {
	Revision int64         // 0 for the defaults
	Err      error         // a [*RefusedError] while the newest document is a bad one
	Age      time.Duration // since the document was known to be the newest
}

// DocumentName returns the name of a service's document in the family "config".
func DocumentName(service string) string { return "route." + service }

// checkService refuses a name that is none, or too long to be part of a document's.
func checkService(name string) error {
	return errors.Join(coord.CheckName("service", name), coord.CheckName("document", DocumentName(name)))
}

// holder keeps what a follower holds. Offer and withdraw have one caller at a time.
type holder struct {
	service string
	own     []string // names of the router's own policies

	held    atomic.Pointer[held]
	loaded  chan struct{} // closed with the first offer or withdrawal
	updates wake.Set
	tel     telemetry
}

// held is immutable.
type held struct {
	table    *Table
	revision int64
	err      error
	loaded   bool
}

// newHolder holds the defaults.
func newHolder(service string, own []string) (*holder, error) {
	table, err := Default().Compile(own...)
	if err != nil {
		return nil, err
	}
	h := &holder{service: service, own: own, loaded: make(chan struct{}), tel: newTelemetry()}
	h.held.Store(&held{table: table})
	return h, nil
}

// offer puts a document in force, or keeps what is and says why.
func (h *holder) offer(revision int64, document []byte) {
	var table *Table
	doc, err := Parse(document)
	if err == nil {
		table, err = doc.Compile(h.own...)
	}
	if err != nil {
		was := *h.held.Load()
		was.err = &RefusedError{h.service, revision, err}
		h.tel.refused(h.service, revision, err)
		h.publish(&was)
		return
	}
	h.tel.applied(h.service, revision)
	h.publish(&held{table: table, revision: revision})
}

// withdraw goes back to the defaults: there is no document.
func (h *holder) withdraw() {
	was := h.held.Load()
	if was.loaded && was.revision == 0 && was.err == nil {
		return
	}
	table, err := Default().Compile(h.own...)
	if err != nil { // newHolder has made it before
		return
	}
	if was.revision != 0 {
		h.tel.applied(h.service, 0)
	}
	h.publish(&held{table: table})
}

func (h *holder) publish(next *held) {
	first := !h.held.Load().loaded
	next.loaded = true
	h.held.Store(next)
	if first {
		close(h.loaded)
	}
	h.updates.Notify()
}

// Table implements [Follower].
func (h *holder) Table() *Table { return h.held.Load().table }

// State implements [Follower].
func (h *holder) State() State {
	now := h.held.Load()
	return State{Revision: now.revision, Err: now.err}
}

// Updates implements [Follower].
func (h *holder) Updates(ctx context.Context) <-chan struct{} {
	return h.updates.Add(ctx, func() bool { return h.held.Load().loaded })
}
