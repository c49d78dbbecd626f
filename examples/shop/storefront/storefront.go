// SPDX-License-Identifier: Apache-2.0

// Package storefront is where the shop's customers come in, over HTTP.
package storefront

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/examples/shop/kit"
	"github.com/otelplat/platform/examples/shop/shoppb"
	"github.com/otelplat/platform/policy/guard"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const (
	maxBody = 4 << 10
	timeout = 2 * time.Second // of one request
)

// Run serves until the context ends.
func Run(ctx context.Context, instance string) error {
	k, err := kit.Open(ctx, "storefront", instance, "/healthz")
	if err != nil {
		return err
	}
	// Orders acts for the customer, so it gets the customer's token.
	conn, err := grpc.NewClient("otelplat:///orders", append(k.Router.DialOptions(),
		k.Telemetry.GRPCDialOption(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(guard.Forward(guard.Plaintext())))...)
	if err != nil {
		return errors.Join(err, k.Close())
	}
	s := &storefront{kit: k, orders: shoppb.NewOrdersClient(conn)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.place)
	mux.HandleFunc("GET /orders/{id}", s.get)
	mux.HandleFunc("POST /orders/{id}/cancel", s.cancel)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	server := &http.Server{
		Handler:           k.Telemetry.HTTPHandler(k.Guard.HTTP(mux, guard.Routes(mux)), "storefront"),
		ReadHeaderTimeout: timeout, ReadTimeout: 2 * timeout, WriteTimeout: 2 * timeout, MaxHeaderBytes: 64 << 10,
	}
	stop := func() {
		leaving, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		_ = server.Shutdown(leaving) // what is not done by then is cut off
	}
	err = k.Serve(ctx, discovery.HTTP, func(l net.Listener) error { return server.Serve(l) }, stop)
	return errors.Join(err, conn.Close(), k.Close())
}

type storefront struct {
	kit    *kit.Kit
	orders shoppb.OrdersClient
}

func (s *storefront) place(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Item     string `json:"item"`
		Quantity int32  `json:"quantity"`
		Card     string `json:"card"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in); err != nil {
		http.Error(w, "want {\"item\", \"quantity\"}", http.StatusBadRequest)
		return
	}
	if in.Card != "" {
		// What a service should not do, and does: the collector keeps it from leaking.
		slog.InfoContext(r.Context(), "charging card "+in.Card)
	}
	s.answer(w, r, func(ctx context.Context) (*shoppb.Order, error) {
		return s.orders.Place(ctx, &shoppb.PlaceRequest{Item: in.Item, Quantity: in.Quantity})
	})
}

func (s *storefront) get(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, func(ctx context.Context) (*shoppb.Order, error) {
		return s.orders.Get(ctx, &shoppb.GetRequest{Id: r.PathValue("id")})
	})
}

func (s *storefront) cancel(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, func(ctx context.Context) (*shoppb.Order, error) {
		return s.orders.Cancel(ctx, &shoppb.CancelRequest{Id: r.PathValue("id")})
	})
}

// answer calls orders and writes what it says.
func (s *storefront) answer(w http.ResponseWriter, r *http.Request, call func(context.Context) (*shoppb.Order, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	err := s.kit.Misbehave(ctx)
	var order *shoppb.Order
	if err == nil {
		order, err = call(ctx)
	}
	if err == nil {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(order) // the customer is gone; there is nobody to tell
		return
	}
	code, known := map[codes.Code]int{
		codes.NotFound: http.StatusNotFound, codes.PermissionDenied: http.StatusForbidden,
		codes.InvalidArgument: http.StatusBadRequest, codes.Aborted: http.StatusBadGateway,
		codes.DeadlineExceeded: http.StatusGatewayTimeout,
	}[status.Code(err)]
	if !known {
		code = http.StatusBadGateway
	}
	if code >= http.StatusInternalServerError {
		slog.ErrorContext(r.Context(), "request failed", "error", err)
	}
	http.Error(w, status.Convert(err).Message(), code)
}
