// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"os"
	"path/filepath"

	"github.com/otelplat/platform/coord/db"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
)

// Database returns the instance's records: in a file, or in memory where no folder
// is named.
func (k *Kit) Database(ctx context.Context) (*db.DB, error) {
	folder := os.Getenv(DataVariable)
	if folder == "" {
		d := db.Memory()
		k.onClose(d.Close)
		return d, nil
	}
	d, err := db.Open(ctx, filepath.Join(folder, k.instance+".db"))
	if err != nil {
		return nil, err
	}
	k.onClose(d.Close)
	return d, nil
}

// Subscribe hands events to the instance, which shares them with the others of its
// service, until Close.
func (k *Kit) Subscribe(ctx context.Context, handler event.Handler, types ...string) error {
	bus, err := jetstream.Open(jetstream.WithService(k.service)) // OTELPLAT_NATS_*
	if err != nil {
		return err
	}
	k.onClose(bus.Close)
	sub, err := bus.Subscribe(ctx, event.Subscription{Name: k.service, Types: types}, handler)
	if err != nil {
		return err
	}
	k.onClose(sub.Close)
	return nil
}
