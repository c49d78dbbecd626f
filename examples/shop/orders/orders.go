// SPDX-License-Identifier: Apache-2.0

// Package orders is the shop's service of orders. Who may do what to which order is
// decided by the policy package shop.orders.
package orders

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"sync"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/examples/shop/kit"
	"github.com/otelplat/platform/examples/shop/shoppb"
	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/guard"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// maxOrders bounds what is kept: a demonstration has no database.
const maxOrders = 10_000

// Run serves until the context ends.
func Run(ctx context.Context, instance string) error {
	k, err := kit.Open(ctx, "orders", instance)
	if err != nil {
		return err
	}
	// By name: the router chooses the instance, for every call.
	conn, err := grpc.NewClient("otelplat:///inventory", append(k.Router.DialOptions(),
		k.Telemetry.GRPCDialOption(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(k.Own))...)
	if err != nil {
		return errors.Join(err, k.Close())
	}
	server := grpc.NewServer(k.Telemetry.GRPCServerOption(), grpc.ChainUnaryInterceptor(k.Guard.Unary))
	shoppb.RegisterOrdersServer(server, &orders{
		kit: k, inventory: shoppb.NewInventoryClient(conn), byID: make(map[string]*shoppb.Order),
	})
	err = k.Serve(ctx, discovery.GRPC, func(l net.Listener) error { return server.Serve(l) }, server.GracefulStop)
	return errors.Join(err, conn.Close(), k.Close())
}

type orders struct {
	shoppb.UnimplementedOrdersServer
	kit       *kit.Kit
	inventory shoppb.InventoryClient

	mu     sync.Mutex
	byID   map[string]*shoppb.Order
	recent []string // ids in the order of their making; the oldest make room
}

// Place makes an order of whoever calls.
func (o *orders) Place(ctx context.Context, in *shoppb.PlaceRequest) (*shoppb.Order, error) {
	if err := o.kit.Misbehave(ctx); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if in.GetItem() == "" || in.GetQuantity() < 1 || in.GetQuantity() > 100 {
		return nil, status.Error(codes.InvalidArgument, "an order needs an item, and a quantity of 1 to 100")
	}
	caller, _ := authn.FromContext(ctx) // the guard let nobody else in
	reserved, err := o.inventory.Reserve(ctx, &shoppb.ReserveRequest{Item: in.GetItem(), Quantity: in.GetQuantity()})
	if err != nil {
		// Not this instance's fault: Aborted does not speak against it.
		return nil, status.Error(codes.Aborted, "the inventory does not answer: "+status.Convert(err).Message())
	}
	order := &shoppb.Order{
		Id: rand.Text(), Owner: caller.Subject, Item: in.GetItem(), Quantity: in.GetQuantity(),
		Status: "placed", ServedBy: reserved.GetInstance(),
	}
	o.mu.Lock()
	o.byID[order.GetId()] = order
	o.recent = append(o.recent, order.GetId())
	if len(o.recent) > maxOrders {
		delete(o.byID, o.recent[0])
		o.recent = o.recent[1:]
	}
	o.mu.Unlock()
	slog.InfoContext(ctx, "order placed", "order", order.GetId(), "item", order.GetItem())
	return order, nil
}

// Get returns an order to who may read it.
func (o *orders) Get(ctx context.Context, in *shoppb.GetRequest) (*shoppb.Order, error) {
	return o.find(ctx, "read", in.GetId())
}

// Cancel cancels an order for who may.
func (o *orders) Cancel(ctx context.Context, in *shoppb.CancelRequest) (*shoppb.Order, error) {
	order, err := o.find(ctx, "cancel", in.GetId())
	if err != nil {
		return nil, err
	}
	cancelled := &shoppb.Order{
		Id: order.GetId(), Owner: order.GetOwner(), Item: order.GetItem(), Quantity: order.GetQuantity(),
		Status: "cancelled", ServedBy: order.GetServedBy(),
	}
	o.mu.Lock()
	if _, kept := o.byID[order.GetId()]; kept {
		o.byID[order.GetId()] = cancelled
	}
	o.mu.Unlock()
	slog.InfoContext(ctx, "order cancelled", "order", order.GetId())
	return cancelled, nil
}

// find returns an order if the caller may do the action to it.
func (o *orders) find(ctx context.Context, action, id string) (*shoppb.Order, error) {
	o.mu.Lock()
	order := o.byID[id]
	o.mu.Unlock()
	if order == nil {
		return nil, status.Error(codes.NotFound, "no such order")
	}
	err := guard.Authorize(ctx, action, policy.Entity{
		Type: "order", ID: id, Properties: map[string]any{"owner": order.GetOwner()},
	})
	return order, err
}
