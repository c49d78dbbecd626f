// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/live"
	"github.com/otelplat/platform/cmd/otelplat/internal/supervise"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/signal"
)

// watch shows what the fleet knows once a second, until the context ends.
func watch(ctx context.Context, s *specs, group *supervise.Group, p *printer) (err error) {
	directory, err := discovery.Etcd(s.client).Directory(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, directory.Close()) }()
	signals := signal.Etcd(s.client)
	defer func() { err = errors.Join(err, signals.Close()) }()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-second.C:
		}
		if o, asked := s.dir.TakeOutage(); asked {
			if err := group.Hold(o.Child, o.For); err != nil {
				p.warn(err)
			}
		}
		rows := live.Rows(directory.Services(), directory.Members, func(service string) *signal.Fleet {
			f, err := signals.Service(ctx, service)
			if err != nil {
				return nil
			}
			return f.Fleet()
		})
		load, err := s.dir.Load()
		p.table(rows, load, s.opts.Demo && err == nil)
	}
}
