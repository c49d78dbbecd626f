// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/otelplat/platform/coord/lock"
)

// Parties is how many parties a barrier under [Barrier] has.
const Parties = 3

// Barrier tests a barrier of [Parties]. Open returns a new one that nobody waits at, which
// the suite closes.
func Barrier(t *testing.T, open func(t *testing.T) lock.Barrier) {
	for name, f := range map[string]func(*testing.T, lock.Barrier){
		"nobody goes on before all are there": barrierMeeting,
		"who leaves before was not there":     barrierLeave,
		"Close ends all waits":                barrierClose,
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			t.Cleanup(func() {
				if err := b.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			f(t, b)
		})
	}
}

// barrierMeeting lets the parties meet again and again: in no round is anybody ahead of
// another by more than one meeting.
func barrierMeeting(t *testing.T, b lock.Barrier) {
	const rounds = 5
	var mu sync.Mutex
	arrived := make([]int, rounds)
	var wg sync.WaitGroup
	for range Parties {
		wg.Go(func() {
			for round := range rounds {
				mu.Lock()
				arrived[round]++
				mu.Unlock()
				if err := b.Wait(t.Context()); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if n := arrived[round]; n != Parties {
					t.Errorf("round %d: %d were there when one went on", round, n)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func barrierLeave(t *testing.T, b lock.Barrier) {
	ended, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { left <- b.Wait(ended) }()
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with an ended context: %v", err)
	}
	waits := make(chan error, Parties)
	for range Parties - 1 {
		go func() { waits <- b.Wait(t.Context()) }()
	}
	select {
	case err := <-waits:
		t.Errorf("two of three went on: %v", err)
	default:
	}
	go func() { waits <- b.Wait(t.Context()) }()
	for range Parties {
		if err := <-waits; err != nil {
			t.Error(err)
		}
	}
}

func barrierClose(t *testing.T, b lock.Barrier) {
	waits := make(chan error, 1)
	go func() { waits <- b.Wait(t.Context()) }()
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	if err := <-waits; !errors.Is(err, lock.ErrClosed) {
		t.Errorf("a wait after Close: %v", err)
	}
	if err := b.Wait(t.Context()); !errors.Is(err, lock.ErrClosed) {
		t.Errorf("Wait after Close: %v", err)
	}
}
