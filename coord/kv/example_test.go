// SPDX-License-Identifier: Apache-2.0

package kv_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
)

// A counter that several processes share: Update does it again when another writer came
// in between.
func ExampleStore_Update() {
	ctx := context.Background()
	store := kv.New(kv.Memory()) // in a fleet: kv.Open(client)
	defer store.Close()

	for range 3 {
		_, err := store.Update(ctx, "orders/last-number", func(e kv.Entry) ([]byte, error) {
			n, _ := strconv.Atoi(string(e.Value)) // the key is not there yet: 0
			return strconv.AppendInt(nil, int64(n)+1, 10), nil
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	e, err := store.Get(ctx, "orders/last-number")
	fmt.Println(string(e.Value), err)

	// Output: 3 <nil>
}

// A watch tells what is there, then Synced, then what changes.
func ExampleStore_Watch() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	store := kv.New(kv.Memory()) // in a fleet: kv.Open(client)
	defer store.Close()
	if _, err := store.Put(ctx, "flags/banner", []byte("on")); err != nil {
		fmt.Println(err)
		return
	}

	changes, err := store.Watch(ctx, "flags/")
	if err != nil {
		fmt.Println(err)
		return
	}
	for c := range changes {
		switch c.Kind {
		case kv.Put:
			fmt.Printf("%s is %s\n", c.Key, c.Value)
		case kv.Synced:
			fmt.Println("that is all for now")
			if err := store.Delete(ctx, "flags/banner"); err != nil {
				fmt.Println(err)
				return
			}
		case kv.Deleted:
			fmt.Printf("%s is gone\n", c.Key)
			cancel() // ends the watch, and with it the loop
		}
	}

	// Output:
	// flags/banner is on
	// that is all for now
	// flags/banner is gone
}

// What a process writes under a lock is refused once it lost the lock, though it does not
// know that yet.
func ExampleWhileHeld() {
	ctx := context.Background()
	store, locks := kv.New(kv.Memory()), lock.Memory() // in a fleet: kv.Open(client), lock.Open(client)
	defer store.Close()
	defer locks.Close()

	held, err := locks.Lock(ctx, "report")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = store.Put(ctx, "report/written-by", []byte("a"), kv.WhileHeld(held.Token()))
	fmt.Println(err)

	if err := held.Unlock(ctx); err != nil { // or it was lost
		fmt.Println(err)
		return
	}
	next, err := locks.Lock(ctx, "report")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = store.Put(ctx, "report/written-by", []byte("b"), kv.WhileHeld(next.Token()))
	fmt.Println(err)
	_, err = store.Put(ctx, "report/written-by", []byte("a"), kv.WhileHeld(held.Token()))
	fmt.Println(errors.Is(err, kv.ErrFenced))

	// Output:
	// <nil>
	// <nil>
	// true
}

// A typed view of a prefix: values are JSON in the store.
func ExampleOf() {
	type order struct {
		Customer string `json:"customer"`
		Cents    int    `json:"cents"`
	}
	ctx := context.Background()
	store := kv.New(kv.Memory()) // in a fleet: kv.Open(client)
	defer store.Close()
	orders := kv.Of[order](store, "orders/")

	if _, err := orders.Put(ctx, "1", order{"ann", 1250}); err != nil {
		fmt.Println(err)
		return
	}
	_, err := orders.Update(ctx, "1", func(o kv.Item[order]) (order, error) {
		o.Value.Cents += 100
		return o.Value, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for o, err := range orders.All(ctx, "") {
		fmt.Println(o.Key, o.Value.Customer, o.Value.Cents, err)
	}

	// Output: 1 ann 1350 <nil>
}
