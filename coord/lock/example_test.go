// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/otelplat/platform/coord/lock"
)

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
