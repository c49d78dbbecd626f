// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"fmt"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/internal/wake"
	"google.golang.org/grpc"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/resolver"
)

// Scheme is the scheme of gRPC targets: "otelplat:///orders".
const Scheme = "otelplat"

// maxReconnectDelay caps gRPC's back-off, whose own two minutes would keep callers
// from an instance for that long after it restarted.
const maxReconnectDelay = 3 * time.Second

// DialOptions returns the options with which [grpc.NewClient] takes "otelplat:///orders"
// for the service orders, keeps a connection to each of its instances, and chooses one
// for each RPC. Credentials are the caller's to add; the authority is the service's
// name, which is also what TLS verifies.
//
// An RPC ends when it is done; one that streams tells nothing of the instance's speed.
// Deadlines, retries and hedges are those of the service's document ([WithRules]), or, for
// what is refused or Unavailable, the defaults. Streams are never sent twice, nor are calls
// hedged whose options receive headers, trailers or the peer. An RPC that its breaker does not
// let through fails with Unavailable and is an [*OpenError].
// Without a usable instance an RPC fails with Unavailable and is a [*NoInstancesError], or
// waits when it is WaitForReady. Deadlines of the document are not for streams. The connection must be closed before the router.
func (r *Router) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithResolvers(resolverBuilder{r}),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"` + balancerName + `":{}}]}`),
		grpc.WithChainUnaryInterceptor(r.unary),
		grpc.WithChainStreamInterceptor(r.stream),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxReconnectDelay},
			MinConnectTimeout: connectTimeout,
		}),
	}
}

type resolverBuilder struct{ router *Router }

func (resolverBuilder) Scheme() string { return Scheme }

// Build implements [resolver.Builder].
func (b resolverBuilder) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	s, err := b.router.service(target.Endpoint())
	if err != nil {
		return nil, fmt.Errorf("router: target %s: %w", target.URL.String(), err)
	}
	ctx, cancel := context.WithCancel(b.router.ctx)
	w := &watcher{service: s, cc: cc, cancel: cancel, done: make(chan struct{})}
	go w.run(ctx)
	return w, nil
}

// watcher tells a gRPC channel of a service's instances.
type watcher struct {
	service *service
	cc      resolver.ClientConn
	cancel  context.CancelFunc
	done    chan struct{}
}

// ResolveNow implements [resolver.Resolver]: there is nothing to ask.
func (w *watcher) ResolveNow(resolver.ResolveNowOptions) {}

// Close implements [resolver.Resolver].
func (w *watcher) Close() {
	w.cancel()
	<-w.done
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.done)
	for range w.service.updates.Add(ctx, wake.Always) {
		// What the balancer makes of it shows in its picker.
		_ = w.cc.UpdateState(resolver.State{
			Endpoints:  w.service.endpoints(),
			Attributes: attributes.New(serviceKey{}, w.service),
		})
	}
}

type (
	serviceKey  struct{} // the service, in a resolver's state
	instanceKey struct{} // the instance's id, in an address
)

// endpoints returns the addresses at which the service's instances serve gRPC, those
// that take no new requests included: they may finish what they have. Where this caller knows
// a subset of the instances it is those.
func (s *service) endpoints() []resolver.Endpoint {
	var list []resolver.Endpoint
	var subset map[string]bool // to connect to the others too is what a subset is there to save
	if s.table.Load().Service().Subset.Enabled {
		subset = s.pool.Known()
	}
	for _, m := range s.router.directory.Members(s.name) {
		if subset != nil && m.Status == discovery.Up && !subset[m.ID] {
			continue
		}
		if a := m.Address(discovery.GRPC); a != "" && m.Status != discovery.Down {
			list = append(list, resolver.Endpoint{
				Addresses:  []resolver.Address{{Addr: a}},
				Attributes: attributes.New(instanceKey{}, m.ID),
			})
		}
	}
	return list
}
