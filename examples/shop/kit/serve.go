// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"google.golang.org/grpc"
)

// GRPCServer returns a server of which every call is traced, counted and guarded, and
// which tells callers and routers how loaded it is, unguarded.
func (k *Kit) GRPCServer() *grpc.Server {
	s := grpc.NewServer(append(k.Telemetry.GRPCServerOptions(), grpc.ChainUnaryInterceptor(k.Guard.Unary))...)
	k.Telemetry.RegisterLoadReports(s)
	return s
}

// Serve listens, announces the instance as soon as it has a policy to decide by, and
// serves until the context ends; then it says so to the fleet, and lets what is
// running finish for as long as stop allows.
func (k *Kit) Serve(ctx context.Context, protocol string, serve func(net.Listener) error, stop func()) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(os.Getenv(ListenVariable), "127.0.0.1:0"))
	if err != nil {
		return fmt.Errorf("%s: %w", k.service, err)
	}
	// Before its policy is loaded the guard refuses everybody, so nobody is invited.
	if err := k.engine.WaitReady(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	address, err := reachable(listener.Addr())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	operators, err := k.serveOperators(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := k.checked(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	registration, err := discovery.Etcd(k.client).Register(ctx, discovery.Instance{
		Service: k.service, ID: k.instance, Version: os.Getenv(VersionVariable), Zone: os.Getenv(ZoneVariable),
		Endpoints: []discovery.Endpoint{
			{Protocol: protocol, Address: address}, {Protocol: discovery.Health, Address: operators},
		},
	}, discovery.WithStatus(k.status), discovery.WithStatusUpdates(k.Checks.Updates))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(listener) }()
	slog.InfoContext(ctx, "serving", "address", address)
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
	defer cancel()
	err = errors.Join(err, registration.Close(leaving))
	stop()
	return err
}
