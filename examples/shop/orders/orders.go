// SPDX-License-Identifier: Apache-2.0

// Package orders is the shop's service of orders. Who may do what to which order is
// decided by the policy package shop.orders.
package orders

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/otelplat/platform/coord/db"
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
	book, err := openBook(ctx, k)
	if err != nil {
		return errors.Join(err, conn.Close(), k.Close())
	}
	server := k.GRPCServer()
	shoppb.RegisterOrdersServer(server, &orders{kit: k, inventory: shoppb.NewInventoryClient(conn), book: book})
	err = k.Serve(ctx, discovery.GRPC, func(l net.Listener) error { return server.Serve(l) }, server.GracefulStop)
	book.close()
	return errors.Join(err, conn.Close(), k.Close())
}

type orders struct {
	shoppb.UnimplementedOrdersServer
	kit       *kit.Kit
	inventory shoppb.InventoryClient
	book      *book
}

// Place makes an order of whoever calls.
func (s *orders) Place(ctx context.Context, in *shoppb.PlaceRequest) (*shoppb.Order, error) {
	if err := s.kit.Misbehave(ctx); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if in.GetItem() == "" || in.GetQuantity() < 1 || in.GetQuantity() > 100 {
		return nil, status.Error(codes.InvalidArgument, "an order needs an item, and a quantity of 1 to 100")
	}
	caller, _ := authn.FromContext(ctx) // the guard let nobody else in
	reserved, err := s.inventory.Reserve(ctx, &shoppb.ReserveRequest{Item: in.GetItem(), Quantity: in.GetQuantity()})
	if err != nil {
		// Not this instance's fault: Aborted does not speak against it.
		return nil, status.Error(codes.Aborted, "the inventory does not answer: "+status.Convert(err).Message())
	}
	o := &order{
		Owner: caller.Subject, Item: in.GetItem(), Quantity: in.GetQuantity(), Status: "placed", ServedBy: reserved.GetInstance(),
	}
	id, err := s.book.place(ctx, o)
	if err != nil {
		return nil, status.Error(codes.Unavailable, "the order cannot be written down")
	}
	slog.InfoContext(ctx, "order placed", "order", id, "item", o.Item)
	return o.message(id), nil
}

// Get returns an order to who may read it.
func (s *orders) Get(ctx context.Context, in *shoppb.GetRequest) (*shoppb.Order, error) {
	r, err := s.find(ctx, "read", in.GetId())
	if err != nil {
		return nil, err
	}
	return r.Value.message(r.ID), nil
}

// Cancel cancels an order for who may.
func (s *orders) Cancel(ctx context.Context, in *shoppb.CancelRequest) (*shoppb.Order, error) {
	r, err := s.find(ctx, "cancel", in.GetId())
	if err != nil {
		return nil, err
	}
	r.Value.Status = "cancelled"
	if err := s.book.change(ctx, r); err != nil {
		if _, ok := errors.AsType[*db.ConflictError](err); ok {
			return nil, status.Error(codes.Aborted, "the order was changed by somebody else")
		}
		return nil, status.Error(codes.Unavailable, "the order cannot be written down")
	}
	slog.InfoContext(ctx, "order cancelled", "order", r.ID)
	return r.Value.message(r.ID), nil
}

// find returns an order if the caller may do the action to it.
func (s *orders) find(ctx context.Context, action, id string) (db.Record[order], error) {
	r, err := s.book.orders.Read(ctx, id)
	switch _, invalid := errors.AsType[*db.InputError](err); {
	case errors.Is(err, db.ErrNotFound), invalid:
		return r, status.Error(codes.NotFound, "no such order")
	case err != nil:
		return r, status.Error(codes.Unavailable, "the orders cannot be read")
	}
	return r, guard.Authorize(ctx, action, policy.Entity{
		Type: "order", ID: id, Properties: map[string]any{"owner": r.Value.Owner},
	})
}
