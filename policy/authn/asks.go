// SPDX-License-Identifier: Apache-2.0

package authn

import (
	"sync"
	"time"
)

const (
	// askEvery is how often tokens with unknown keys cause a fetch, at most: a flood of
	// them must not become a flood at the issuer.
	askEvery = 30 * time.Second

	// askRetry is the longest that tokens wait with the next one after a fetch that
	// failed. Senders try again for a minute or more: they see the issuer come back.
	askRetry = 10 * time.Second

	// askWait is how long such a token waits for the fetch.
	askWait = 2 * time.Second

	// maxWaiting is how many wait at once: the issuer's slowness must not gather requests
	// without end. Those beyond it are told at once to try again.
	maxWaiting = 1024
)

// round is one fetch of the keys: the next one, or the one that is under way.
type round struct {
	due   bool          // it begins at once
	begun bool          // what was published since may not be in it
	done  chan struct{} // closed at its end
	err   error         // of the fetch; to be read after done
}

// asks says which tokens with unknown keys cause a fetch, and which fetch tells about them.
type asks struct {
	mu     sync.Mutex // held for a moment, never during a fetch
	next   *round
	asked  time.Time     // when a token caused a fetch
	failed bool          // so did the last fetch, and again counts in place of asked
	again  time.Time     // from when on a token may cause a fetch
	wake   chan struct{} // holds one; with mu only
}

func newAsks() *asks {
	return &asks{next: &round{due: true, done: make(chan struct{})}, wake: make(chan struct{}, 1)}
}

// ask returns the fetch that is worth waiting for; nil when none is under way and none may
// be caused. It judges if it begins after the call: a key that is not in it is unknown.
func (a *asks) ask(now time.Time) (r *round, judges bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next.due {
		return a.next, !a.next.begun
	}
	from := a.asked.Add(askEvery)
	if a.failed {
		from = a.again
	}
	if now.Before(from) {
		return nil, false
	}
	a.asked, a.next.due = now, true
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return a.next, true
}

// following returns the fetch that is next or under way, without causing one.
func (a *asks) following() *round {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.next
}

// begin is called before each fetch.
func (a *asks) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next.due, a.next.begun = true, true
	select {
	case <-a.wake: // it asked for this one
	default:
	}
}

// end is called after it; pause is how long the next one waits when nobody asks.
func (a *asks) end(now time.Time, pause time.Duration, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed, a.again = err != nil, now.Add(min(pause, askRetry))
	ended := a.next
	a.next = &round{done: make(chan struct{})}
	ended.err = err
	close(ended.done)
}
