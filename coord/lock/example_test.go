// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/otelplat/platform/coord/lock"
)

// One of a fleet does the work at a time; its context ends when the lock is lost.
func ExampleDo() {
	ctx := context.Background()
	locks := lock.Memory() // in a fleet: lock.Open(client)
	defer locks.Close()

	err := lock.Do(ctx, locks, "nightly-report", func(ctx context.Context) error {
		_, err := locks.TryLock(ctx, "nightly-report")
		fmt.Println("another one is refused:", errors.Is(err, lock.ErrLocked))
		return ctx.Err() // nil while the lock is held
	})
	fmt.Println(err)

	// Output:
	// another one is refused: true
	// <nil>
}

// A store that is not etcd refuses the token of a holder that another one has followed.
func ExampleFence() {
	ctx := context.Background()
	locks := lock.Memory() // in a fleet: lock.Open(client)
	defer locks.Close()
	var fence lock.Fence // before the store's writes

	first, err := locks.Lock(ctx, "ledger")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(fence.Admit(first.Token()))
	if err := first.Unlock(ctx); err != nil { // or it was lost
		fmt.Println(err)
		return
	}
	second, err := locks.Lock(ctx, "ledger")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(fence.Admit(second.Token()))
	fmt.Println(errors.Is(fence.Admit(first.Token()), lock.ErrFenced))

	// Output:
	// <nil>
	// <nil>
	// true
}

// Three workers meet before each step: none is ahead of another by more than one.
func ExampleBarrier() {
	barrier, err := lock.MemoryBarrier(3) // in a fleet: lock.OpenBarrier(client, "steps", 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer barrier.Close()
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for range 2 {
				if err := barrier.Wait(context.Background()); err != nil {
					fmt.Println(err)
				}
			}
		})
	}
	workers.Wait()
	fmt.Println("two steps, together")

	// Output: two steps, together
}
