// SPDX-License-Identifier: Apache-2.0

package versioned_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/embedded"
	"github.com/otelplat/platform/coord/versioned"
)

// A document is changed, changed by somebody who had not seen the change, and rolled
// back. The etcd is part of the example so that it runs anywhere; a service only calls
// coord.Open.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "etcd-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	server, err := embedded.Start(ctx, embedded.WithDir(dir), embedded.ForTests())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, err := coord.Open(coord.WithEndpoints(server.Endpoints()...))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	store := versioned.New(client, versioned.Config)
	put := func(content, author string, saw int64) {
		rev, err := store.Put(ctx, "orders", []byte(content), versioned.PutOptions{Author: author, Expect: saw})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("revision %d by %s\n", rev.Number, rev.Author)
	}
	put("timeout: 1s", "ada", 0)
	put("timeout: 9s", "ada", 1)
	put("timeout: 2s", "bob", 1) // bob saw revision 1

	if _, err := store.Rollback(ctx, "orders", 1, versioned.PutOptions{Author: "bob", Expect: 2}); err != nil {
		fmt.Println(err)
		return
	}
	now, err := store.Get(ctx, "orders", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("revision %d by %s, %q: %s\n", now.Revision.Number, now.Revision.Author, now.Revision.Reason, now.Content)

	// Output:
	// revision 1 by ada
	// revision 2 by ada
	// versioned: config "orders" is at revision 2, the writer expected 1
	// revision 3 by bob, "roll back to revision 1": timeout: 1s
}
