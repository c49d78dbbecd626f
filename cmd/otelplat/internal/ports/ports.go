// SPDX-License-Identifier: Apache-2.0

// Package ports plans the loopback ports of `otelplat up` and says, before
// anything is started, which of them somebody else has taken.
package ports

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// Size is how many ports a base takes: from base to base+Size-1.
const Size = 20

// The names of the ports, as errors and run.json call them.
const (
	Etcd       = "etcd"
	EtcdPeer   = "etcd-peer"
	OTLPGRPC   = "otlp-grpc"
	OTLPHTTP   = "otlp-http"
	Health     = "health"
	Metrics    = "metrics"
	Storefront = "storefront"
	NATS       = "nats"
	Events     = "events"
)

// usual are the ports that tools expect when nobody says otherwise, in the order
// in which a base numbers them.
var usual = []Port{
	{Name: Etcd, Number: 2379},
	{Name: EtcdPeer, Number: 2380},
	{Name: OTLPGRPC, Number: 4317},
	{Name: OTLPHTTP, Number: 4318},
	{Name: Health, Number: 13133},
	{Name: Metrics, Number: 8888},
	{Name: Storefront, Number: 8080},
	{Name: NATS, Number: 4222},
	{Name: Events, Number: 4319},
}

// Port is one port of the plan.
type Port struct {
	Name   string
	Number int
}

// Plan says which port is whose.
type Plan struct {
	ports []Port
}

// New returns the plan for a base, or the usual ports when base is 0. The
// storefront has a port only when the demo runs.
func New(base int, demo bool) (*Plan, error) {
	if base != 0 && (base < 1024 || base+Size-1 > 65535) {
		return nil, &BaseError{base}
	}
	p := &Plan{}
	for i, port := range usual {
		if port.Name == Storefront && !demo {
			continue
		}
		if base != 0 {
			port.Number = base + i
		}
		p.ports = append(p.ports, port)
	}
	return p, nil
}

// BaseError says that a base leaves no room for its ports.
type BaseError struct{ Base int }

func (e *BaseError) Error() string {
	return fmt.Sprintf("--listen-base %d is not between 1024 and %d", e.Base, 65535-Size+1)
}

// Number returns the port of a name, 0 for one that the plan does not have:
// then any free port will do.
func (p *Plan) Number(name string) int {
	for _, port := range p.ports {
		if port.Name == name {
			return port.Number
		}
	}
	return 0
}

// Address returns host and port of a name on loopback.
func (p *Plan) Address(name string) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Number(name)))
}

// BusyError says which ports of a plan are taken.
type BusyError struct {
	Ports []Port
	Free  int // a base whose ports are all free, 0 when none was found
}

func (e *BusyError) Error() string {
	parts := make([]string, len(e.Ports))
	for i, port := range e.Ports {
		parts[i] = fmt.Sprintf("%d (%s)", port.Number, port.Name)
	}
	noun := "port"
	if len(parts) > 1 {
		noun = "ports"
	}
	return noun + " " + strings.Join(parts, ", ") + " already in use"
}

// Check tries every port of the plan. It returns a [*BusyError] that names all
// that are taken, so that the user moves them once.
func (p *Plan) Check(ctx context.Context) error {
	busy, err := p.busy(ctx)
	if err != nil || busy == nil {
		return err
	}
	e := &BusyError{Ports: busy}
	for base := 4300; base < 5300 && e.Free == 0; base += 100 {
		other, err := New(base, true)
		if err != nil {
			return err
		}
		if taken, err := other.busy(ctx); err == nil && taken == nil {
			e.Free = base
		}
	}
	return e
}

// busy returns the ports that are taken.
func (p *Plan) busy(ctx context.Context) ([]Port, error) {
	var busy []Port
	for _, port := range p.ports {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port.Number)))
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			busy = append(busy, port)
		case err != nil:
			return nil, fmt.Errorf("port %d (%s): %w", port.Number, port.Name, err)
		default:
			_ = l.Close() // nobody connected
		}
	}
	return busy, nil
}
