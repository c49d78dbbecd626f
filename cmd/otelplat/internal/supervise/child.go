// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	readyPoll = 25 * time.Millisecond
	firstWait = 200 * time.Millisecond // before a child that died is started again
	longWait  = 10 * time.Second
	steady    = 30 * time.Second // a child that lived this long starts anew with firstWait
)

// child is one supervised process and its successors.
type child struct {
	group *Group
	spec  Spec
	log   *boundedLog

	once  sync.Once
	hold  chan time.Duration // capacity 1: stop, and start again only then
	stop  chan struct{}
	done  chan struct{}
	first chan error // the outcome of the first start
}

func (c *child) askToStop() { c.once.Do(func() { close(c.stop) }) }

// run starts the process again and again until the child is to stop.
func (c *child) run() {
	defer close(c.done)
	defer func() { _ = c.log.Close() }()
	wasReady := false
	wait := firstWait
	for attempt := 1; ; attempt++ {
		started := time.Now()
		ready, err := c.life()
		if err == nil {
			return
		}
		wasReady = wasReady || ready
		if held := (heldError)(0); errors.As(err, &held) {
			c.group.events(Event{Name: c.spec.Name, Kind: Held, Again: time.Duration(held)})
			if !c.rest(time.Duration(held)) {
				return
			}
			continue
		}
		if !wasReady && attempt >= StartAttempts {
			c.first <- &StartError{Name: c.spec.Name, Log: c.log.path, Last: c.log.reason(), Attempt: attempt, err: err}
			return
		}
		if time.Since(started) > steady {
			wait = firstWait
		}
		if wasReady { // else the error of the start says it once
			c.group.events(Event{Name: c.spec.Name, Kind: Died, Err: err, Again: wait})
		}
		if !c.rest(wait) {
			return
		}
		wait = min(2*wait, longWait)
	}
}

// rest waits, and returns false when the child is to stop.
func (c *child) rest(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-c.stop:
		return false
	}
}

// heldError says that a process was stopped, to be started again after so long.
type heldError time.Duration

func (e heldError) Error() string { return "held for " + time.Duration(e).String() }

// life runs one process to its end. It returns nil when the end was asked for.
func (c *child) life() (ready bool, err error) {
	started := time.Now()
	lifeline, release, err := os.Pipe()
	if err != nil {
		return false, fmt.Errorf("supervise: pipe: %w", err)
	}
	defer func() { _ = release.Close() }()
	// Not CommandContext: the pipe is what ends a child, and askToStop its owner.
	cmd := exec.Command(c.group.executable, c.spec.Args...) //nolint:noctx // see above
	cmd.Env = c.spec.Env
	if cmd.Env == nil {
		cmd.Env = []string{} // nil would be the parent's
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = lifeline, c.log, c.log
	cmd.WaitDelay = time.Second
	err = cmd.Start()
	_ = lifeline.Close() // the child has its own
	if err != nil {
		return false, fmt.Errorf("supervise: %w", err)
	}
	exited := make(chan exit, 1)
	go func() { exited <- exit{cmd.Wait()} }()

	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for {
		select {
		case e := <-exited:
			return ready, e.why()
		case <-c.stop:
			end(cmd, release, exited)
			return ready, nil
		case d := <-c.hold:
			end(cmd, release, exited)
			return ready, heldError(d)
		case <-poll.C:
			if c.ask() != nil {
				continue
			}
			ready = true
			poll.Stop()
			c.group.events(Event{Name: c.spec.Name, Kind: Ready, Took: time.Since(started), PID: cmd.Process.Pid})
			select {
			case c.first <- nil:
			default: // not the first time
			}
		}
	}
}

// end asks a process to stop, and kills it when it does not.
func end(cmd *exec.Cmd, release *os.File, exited <-chan exit) {
	_ = release.Close()
	select {
	case <-exited: // however it ended
	case <-time.After(stageGrace):
		_ = cmd.Process.Kill() // it may have ended this moment
		<-exited
	}
}

// ask asks the process whether it is ready; the answer may take half a second,
// in which an end of the process waits to be noticed.
func (c *child) ask() error {
	if c.spec.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	return c.spec.Ready(ctx)
}

// exit is how a process ended.
type exit struct{ err error }

// why returns the reason of an end that nobody asked for.
func (e exit) why() error {
	if e.err == nil {
		return errors.New("it ended by itself")
	}
	return e.err
}
