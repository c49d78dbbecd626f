// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/otelplat/health"
)

// openChecks makes the checks that say whether the instance takes requests.
func (k *Kit) openChecks() error {
	k.Checks = health.New()
	k.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		return k.Checks.Shutdown(ctx)
	})
	return errors.Join(
		k.Checks.Add("behaviour", func(context.Context) error {
			if k.Behaviour.Get().Sick {
				return errors.New("this instance is sick, as it was told to be")
			}
			return nil
		}, health.WithInterval(500*time.Millisecond), health.WithThreshold(1)),
		// Old policies decide as well as they did: that is no reason to go.
		k.Checks.Add("policy", health.Age(k.engine.Age, time.Minute), health.WithSeverity(health.Degraded)),
		k.Checks.Add("revocations", k.revoked.Check, health.WithSeverity(health.Degraded)),
	)
}

// status is what the instance says of itself to the fleet.
func (k *Kit) status() discovery.Status {
	switch s := k.Checks.Status(); {
	case s.Ready():
		return discovery.Up
	case s == health.Starting:
		return discovery.Starting
	case s == health.Draining:
		return discovery.Draining
	}
	return discovery.Down
}

// checked waits until every check has a result.
func (k *Kit) checked(ctx context.Context) error {
	updates := k.Checks.Updates(ctx)
	for k.Checks.Status() == health.Starting {
		if _, open := <-updates; !open {
			return context.Cause(ctx)
		}
	}
	return nil
}

// serveOperators serves checks and metrics on a port of their own: what they tell is
// not for customers.
func (k *Kit) serveOperators(ctx context.Context) (address string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(os.Getenv(OperateVariable), "127.0.0.1:0"))
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.Handle("/", k.Checks.Handler())
	mux.Handle("GET /metrics", k.scrape)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second, ReadTimeout: time.Second, MaxHeaderBytes: 16 << 10}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Close
	}()
	k.onClose(func() error {
		err := server.Close()
		<-done
		return err
	})
	return reachable(listener.Addr())
}

// reachable returns the address at which others reach a listener: of one that listens
// everywhere, that of this machine's first network.
func reachable(listening net.Addr) (string, error) {
	tcp, ok := listening.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return listening.String(), nil
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return net.JoinHostPort(n.IP.String(), strconv.Itoa(tcp.Port)), nil
		}
	}
	return "", errors.New("this machine has no address that others reach")
}
