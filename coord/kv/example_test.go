// SPDX-License-Identifier: Apache-2.0

package kv_test

import (
	"context"
	"fmt"
	"strconv"

	"github.com/otelplat/platform/coord/kv"
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
