// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"os"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/embedded"
)

// Etcd starts an etcd with empty data and returns a client of it. Stop closes the
// client and removes everything. A service has coord.Open() instead, which finds its
// etcd by OTELPLAT_ETCD_ENDPOINTS.
func Etcd(ctx context.Context) (client *coord.Client, stop func(), err error) {
	dir, err := os.MkdirTemp("", "otelplat-example-*")
	if err != nil {
		return nil, nil, err
	}
	clean := func() { _ = os.RemoveAll(dir) } // what stays is in the system's temporary folder
	// ForTests: ready in a fifth of a second; it does not fsync.
	server, err := embedded.Start(ctx, embedded.WithDir(dir), embedded.ForTests())
	if err != nil {
		clean()
		return nil, nil, err
	}
	client, err = coord.Open(coord.WithEndpoints(server.Endpoints()...))
	if err == nil {
		err = client.Ready(ctx)
	}
	stop = func() {
		if client != nil {
			_ = client.Close() // the program ends; nobody could act on it
		}
		server.Close()
		clean()
	}
	if err != nil {
		stop()
		return nil, nil, errors.Join(errors.New("local: etcd does not answer"), err)
	}
	return client, stop, nil
}
