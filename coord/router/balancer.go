// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// balancerName is unique in the process: gRPC's registry is global. Which router a
// channel belongs to its resolver says.
const balancerName = "otelplat_router"

func init() { balancer.Register(balancerBuilder{}) }

type balancerBuilder struct{}

func (balancerBuilder) Name() string { return balancerName }

// Build implements [balancer.Builder].
func (balancerBuilder) Build(cc balancer.ClientConn, _ balancer.BuildOptions) balancer.Balancer {
	return &channelBalancer{cc: cc, conns: make(map[string]*conn)}
}

// channelBalancer keeps a connection to each instance for one gRPC channel. What is
// known of the instances is in the service's pool, which all channels share and which
// outlives them. gRPC calls its methods one at a time.
type channelBalancer struct {
	cc      balancer.ClientConn
	service *service
	conns   map[string]*conn // by instance id
}

// conn is the connection to one instance.
type conn struct {
	sub     balancer.SubConn
	address string
	state   connectivity.State
	err     error // of the last attempt to connect

	asker *asker // asks it for its load
	leave func()
}

// UpdateClientConnState implements [balancer.Balancer].
func (b *channelBalancer) UpdateClientConnState(s balancer.ClientConnState) error {
	service, ok := s.ResolverState.Attributes.Value(serviceKey{}).(*service)
	if !ok {
		return fmt.Errorf("router: the balancer %q works with the resolver of scheme %q only", balancerName, Scheme)
	}
	b.service = service
	there := make(map[string]bool)
	for _, e := range s.ResolverState.Endpoints {
		id, ok := e.Attributes.Value(instanceKey{}).(string)
		if !ok || len(e.Addresses) == 0 {
			continue
		}
		there[id] = true
		address := e.Addresses[0].Addr
		if old := b.conns[id]; old != nil {
			if old.address == address {
				continue
			}
			old.close()
			delete(b.conns, id)
		}
		if err := b.connect(id, address); err != nil {
			return err
		}
	}
	for id, c := range b.conns {
		if !there[id] {
			c.close()
			delete(b.conns, id)
		}
	}
	b.publish()
	return nil
}

func (b *channelBalancer) connect(id, address string) error {
	c := &conn{address: address, state: connectivity.Connecting}
	//nolint:staticcheck // deprecated for more than one address, and there is no other way yet
	sub, err := b.cc.NewSubConn([]resolver.Address{{Addr: address}}, balancer.NewSubConnOptions{
		StateListener: func(s balancer.SubConnState) { b.changed(id, c, s) },
	})
	if err != nil {
		return fmt.Errorf("router: connect to %s: %w", id, err)
	}
	c.sub = sub
	producer, leave := sub.GetOrBuildProducer(askerBuilder{})
	c.asker, c.leave = producer.(*asker), leave
	b.conns[id] = c
	sub.Connect()
	return nil
}

// close gives the connection up; RPCs on it go on.
func (c *conn) close() {
	c.leave()
	c.sub.Shutdown()
}

// changed is told of a connection's state.
func (b *channelBalancer) changed(id string, c *conn, s balancer.SubConnState) {
	if b.conns[id] != c {
		return // of a connection that was given up
	}
	failing := c.state == connectivity.TransientFailure
	switch s.ConnectivityState {
	case connectivity.Idle:
		c.sub.Connect() // at once, and for ever
		if failing {
			return
		}
		c.state = connectivity.Connecting
	case connectivity.Connecting:
		if failing {
			return // it failed before, and until it is there it counts as failing
		}
		c.state = s.ConnectivityState
	case connectivity.TransientFailure:
		c.state, c.err = s.ConnectivityState, s.ConnectionError
		b.service.pool.Unreachable(b.service.router.now(), id)
	default:
		c.state = s.ConnectivityState
	}
	b.publish()
}

// publish gives the channel a picker of the connections as they are.
func (b *channelBalancer) publish() {
	s := b.service
	p := &picker{service: s, ready: make(map[string]*conn)}
	var errs []error
	for id, c := range b.conns {
		switch c.state {
		case connectivity.Ready:
			p.ready[id] = c
		case connectivity.TransientFailure:
			errs = append(errs, fmt.Errorf("%s: %w", id, c.err))
		default:
			p.connecting = true
		}
	}
	p.usable = func(n *node) bool { _, ok := p.ready[n.ID()]; return ok }
	p.askable = func(n *node) bool { return p.usable(n) && targetOf(n).askable(s.router.now()) }
	p.ask = func(n *node) { s.probe(n, p.ready[n.ID()].ask) }
	state := connectivity.TransientFailure
	switch {
	case len(p.ready) > 0:
		state = connectivity.Ready
	case p.connecting:
		state = connectivity.Connecting
	default:
		p.err = errors.Join(errs[:min(len(errs), maxErrors)]...)
	}
	b.cc.UpdateState(balancer.State{ConnectivityState: state, Picker: p})
}

// maxErrors bounds how many connections' errors an RPC's error repeats.
const maxErrors = 3

// ResolverError implements [balancer.Balancer]; our resolver has none.
func (b *channelBalancer) ResolverError(error) {}

// UpdateSubConnState implements [balancer.Balancer]; connections have listeners.
func (b *channelBalancer) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

// ExitIdle implements [balancer.Balancer].
func (b *channelBalancer) ExitIdle() {
	for _, c := range b.conns {
		c.sub.Connect()
	}
}

// Close implements [balancer.Balancer]; the channel closes its connections itself.
func (b *channelBalancer) Close() {
	for _, c := range b.conns {
		c.leave()
	}
	b.conns = nil // what is still told of them changes nothing
}
