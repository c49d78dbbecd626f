// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
)

// increment is what one did to the counter: it saw a value and wrote the next.
type increment struct {
	saw     int
	unknown bool // whether it was written: the answer was lost
}

// counting is the model: each increment sees what those before it left.
var counting = porcupine.NondeterministicModel{
	Init: func() []any { return []any{0} },
	Step: func(state, _, output any) []any {
		now, did := state.(int), output.(increment)
		switch {
		case did.saw == now && did.unknown:
			return []any{now, now + 1}
		case did.saw == now:
			return []any{now + 1}
		case did.unknown:
			return []any{now} // then it was not written
		}
		return nil
	},
}

// TestACounterUnderALock lets processes count under a lock that is taken from them between
// their read and their write, one of them behind a network that is cut now and then. With
// the token no increment is lost. Without it some are, which shows that the test can tell.
func TestACounterUnderALock(t *testing.T) {
	operations := faults(200, 1000)
	if result, n := count(t, operations, true); result != porcupine.Ok {
		t.Errorf("of %d increments with the token some were lost: %s", n, result)
	}
	if result, n := count(t, operations, false); result != porcupine.Illegal {
		t.Errorf("of %d increments without the token none was lost (%s): the test shows nothing", n, result)
	}
}

func count(t *testing.T, operations int, fenced bool) (porcupine.CheckResult, int) {
	server := coordtest.Etcd(t)
	space := coordtest.Client(t, server).Namespace()
	proxy := coordtest.NewProxy(t, server.Address())
	var mu sync.Mutex
	var history []porcupine.Operation
	var left, written atomic.Int64
	left.Store(int64(operations))
	began := time.Now()
	var workers sync.WaitGroup
	for id := range 4 {
		opts := []coord.Option{coord.WithNamespace(space)}
		if id == 0 {
			opts = append(opts, coord.WithEndpoints(proxy.Endpoint()))
		}
		c := coordtest.Client(t, server, opts...)
		workers.Go(func() {
			locks, store := lock.Open(c), kv.Open(c)
			defer store.Close()
			defer locks.Close()
			for left.Add(-1) >= 0 {
				if id == 0 && rand.N(10) == 0 {
					proxy.Cut()
				}
				call := time.Since(began)
				did, ok := countOnce(t.Context(), c, locks, store, fenced, &written)
				if !ok {
					continue
				}
				back := time.Since(began)
				if did.unknown {
					back = time.Hour // it may take effect later
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: id, Output: did, Call: int64(call), Return: int64(back)})
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	model := counting.ToModel()
	return porcupine.CheckOperationsTimeout(model, history, time.Minute), len(history)
}

// countOnce increments once, and reports whether there is something to tell.
func countOnce(ctx context.Context, c *coord.Client, locks lock.Locker, store *kv.Store, fenced bool, written *atomic.Int64) (increment, bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	held, err := locks.Lock(ctx, "counter")
	if err != nil {
		return increment{}, false
	}
	defer func() { _ = held.Unlock(ctx) }() // it may be lost, that is the test
	e, err := store.Get(ctx, "n")
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return increment{}, false
	}
	saw, _ := strconv.Atoi(string(e.Value)) // absent: 0
	if rand.N(8) == 0 {
		// The lock is taken away, and this process sleeps until another has written.
		before := written.Load()
		if err := takeAway(ctx, c, held); err != nil {
			return increment{}, false
		}
		for wait := 0; written.Load() == before && wait < 50; wait++ {
			<-time.After(time.Millisecond) // the pause is the fault
		}
	}
	var opts []kv.WriteOption
	if fenced {
		opts = append(opts, kv.WhileHeld(held.Token()))
	}
	_, err = store.Put(ctx, "n", []byte(strconv.Itoa(saw+1)), opts...)
	switch {
	case errors.Is(err, kv.ErrUncertain):
		return increment{saw, true}, true
	case err != nil:
		return increment{}, false
	}
	written.Add(1)
	return increment{saw: saw}, true
}
