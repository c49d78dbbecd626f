// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/embedded"
	"github.com/otelplat/platform/coord/mirror"
)

// A mirror of plain text under motd/. The etcd is part of the example so that it
// runs anywhere; a service only calls coord.Open.
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

	m, err := mirror.Open(ctx, client, "motd/", func(_ string, value []byte) (string, error) {
		return string(value), nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	written, err := client.Etcd().Put(ctx, client.Key("motd", "today"), "hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.WaitRevision(ctx, written.Header.Revision); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Get("today"))
	// Output: hello true
}
