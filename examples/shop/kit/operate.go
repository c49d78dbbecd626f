// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"errors"
	"net"
	"net/http"
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

// serveOperators serves checks and metrics on a port of loopback of their own: what
// they tell is not for customers.
func (k *Kit) serveOperators(ctx context.Context) (address string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
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
	return listener.Addr().String(), nil
}
