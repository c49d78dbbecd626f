// SPDX-License-Identifier: Apache-2.0

// Package inventory is the shop's service of what is in stock. It has several
// instances, each of which can be told to be slow or to fail.
package inventory

import (
	"context"
	"errors"
	"net"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/examples/shop/kit"
	"github.com/otelplat/platform/examples/shop/shoppb"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/metrics"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Run serves until the context ends.
func Run(ctx context.Context, instance string) error {
	k, err := kit.Open(ctx, "inventory", instance)
	if err != nil {
		return err
	}
	shipped, err := k.Metrics.Counter("shop.inventory.shipped", metrics.WithUnit("{order}"),
		metrics.WithDescription("Orders that were heard of. One that comes twice counts twice."))
	if err != nil {
		return errors.Join(err, k.Close())
	}
	if err := k.Subscribe(ctx, func(context.Context, event.Delivery) error {
		shipped.Inc()
		return nil
	}, "shop.order.placed"); err != nil {
		return errors.Join(err, k.Close())
	}
	server := k.GRPCServer()
	shoppb.RegisterInventoryServer(server, &inventory{kit: k, instance: instance})
	err = k.Serve(ctx, discovery.GRPC, func(l net.Listener) error { return server.Serve(l) }, server.GracefulStop)
	return errors.Join(err, k.Close())
}

type inventory struct {
	shoppb.UnimplementedInventoryServer
	kit      *kit.Kit
	instance string
}

// Reserve reserves: there is always enough.
func (i *inventory) Reserve(ctx context.Context, _ *shoppb.ReserveRequest) (*shoppb.ReserveResponse, error) {
	if err := i.kit.Misbehave(ctx); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &shoppb.ReserveResponse{Instance: i.instance}, nil
}
