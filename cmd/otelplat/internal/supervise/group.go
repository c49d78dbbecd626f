// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// StartAttempts is how often a child may die before it is ready.
const StartAttempts = 3

// stageGrace is how long the children of one stage have to stop by themselves
// before they are killed. Four stages fit into the 5 s that `up` promises.
const stageGrace = 1100 * time.Millisecond

// Spec describes a child.
type Spec struct {
	Name string
	Args []string
	Env  []string // all of it: a child inherits no environment

	// Stage orders the end: the children of the greatest stage stop first,
	// those of one stage together.
	Stage int

	// Ready is asked every 25 ms until it returns nil. Without it a child is
	// ready when it runs.
	Ready func(context.Context) error
}

// Event is something that happened to a child after its start was asked for.
type Event struct {
	Name string
	Kind Kind

	Took  time.Duration // Ready: since the start of this process
	PID   int           // Ready
	Err   error         // Died: why
	Again time.Duration // Died, Held: when the next one starts
}

// Kind is a kind of event.
type Kind string

// The kinds of events.
const (
	Ready Kind = "ready"
	Died  Kind = "died" // after it was ready
	Held  Kind = "held" // by [Group.Hold]
)

// StartError says that a child never became ready.
type StartError struct {
	Name    string
	Log     string // path
	Last    string // what it logged at last: why
	Attempt int
	err     error
}

func (e *StartError) Error() string {
	if e.Last != "" {
		return fmt.Sprintf("%s does not start: %s", e.Name, e.Last)
	}
	return fmt.Sprintf("%s does not start: %v", e.Name, e.err)
}

func (e *StartError) Unwrap() error { return e.err }

// Group runs children of one executable. Its methods are safe for concurrent
// use; Start must not be called after Stop.
type Group struct {
	executable string
	logDir     string
	events     func(Event)

	mu       sync.Mutex
	children map[string]*child
}

// New returns an empty group whose children run this very executable and log to
// files in logDir. Events are called from the children's goroutines.
func New(logDir string, events func(Event)) (*Group, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("supervise: find this executable: %w", err)
	}
	return &Group{executable: executable, logDir: logDir, events: events, children: make(map[string]*child)}, nil
}

// Start starts a child and waits until it is ready. It returns a [*StartError]
// for one that died before, and the context's error when it took too long; the
// child is then left to Stop.
func (g *Group) Start(ctx context.Context, spec Spec) error {
	log, err := openLog(filepath.Join(g.logDir, spec.Name+".log"))
	if err != nil {
		return err
	}
	c := &child{group: g, spec: spec, log: log, hold: make(chan time.Duration, 1), stop: make(chan struct{}), done: make(chan struct{}), first: make(chan error, 1)}
	g.mu.Lock()
	if g.children[spec.Name] != nil {
		g.mu.Unlock()
		_ = log.Close()
		return fmt.Errorf("supervise: there is a child %s already", spec.Name)
	}
	g.children[spec.Name] = c
	g.mu.Unlock()
	go c.run()
	select {
	case err := <-c.first:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s is not ready: %w", spec.Name, context.Cause(ctx))
	}
}

// Hold stops a child, and starts it again after d: an outage to order. It returns an
// error when there is no such child.
func (g *Group) Hold(name string, d time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.children[name]
	if c == nil {
		return fmt.Errorf("supervise: no child %q", name)
	}
	select {
	case c.hold <- d:
	default: // it is about to be held already
	}
	return nil
}

// Stop stops all children, stage by stage, and waits for them: those that take
// more than their grace are killed, so it returns in any case.
func (g *Group) Stop() {
	g.mu.Lock()
	stages := make(map[int][]*child)
	for _, c := range g.children {
		stages[c.spec.Stage] = append(stages[c.spec.Stage], c)
	}
	g.mu.Unlock()
	order := slices.Sorted(maps.Keys(stages))
	slices.Reverse(order)
	for _, stage := range order {
		for _, c := range stages[stage] {
			c.askToStop()
		}
		for _, c := range stages[stage] {
			<-c.done
		}
	}
}
