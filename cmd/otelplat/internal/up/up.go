// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/cmd/otelplat/internal/ports"
	"github.com/otelplat/platform/cmd/otelplat/internal/supervise"
	"github.com/otelplat/platform/coord"
)

// Run runs the platform until the context ends or its time is over, and returns
// when every process that it started has ended. Errors are those of the data
// directory ([*datadir.Error]), of the ports ([*ports.BusyError]) and of children
// that do not start ([*supervise.StartError]).
func Run(ctx context.Context, o Options) (err error) {
	plan, err := ports.New(o.ListenBase, o.Demo)
	if err != nil {
		return err
	}
	dir, err := datadir.Own(o.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := plan.Check(ctx); err != nil {
		return err
	}
	client, err := coord.Open(coord.WithEndpoints("http://"+plan.Address(ports.Etcd)), coord.WithNamespace(Namespace),
		coord.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	p := newPrinter(o)
	group, err := supervise.New(dir.Path("logs"), p.child)
	if err != nil {
		return err
	}
	defer func() {
		p.stopping()
		began := time.Now()
		group.Stop()
		p.stopped(time.Since(began))
	}()
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	s := &specs{dir: dir, plan: plan, opts: o, client: client}
	err = start(ctx, s, group, p)
	switch {
	case ctx.Err() != nil:
		return nil // it was asked to end, and that is what it does
	case err != nil:
		return err
	}
	p.hint(s)
	return watch(ctx, s, group, p)
}

// start starts everything in the order in which it needs each other.
func start(ctx context.Context, s *specs, group *supervise.Group, p *printer) error {
	child := func(spec supervise.Spec) error {
		ctx, cancel := context.WithTimeout(ctx, startTimeout)
		defer cancel()
		return group.Start(ctx, spec)
	}
	if err := child(s.etcd()); err != nil {
		return err
	}
	if err := child(s.nats()); err != nil {
		return err
	}
	if err := Provision(ctx, s.dir, s.client, s.opts.Demo, p.warn); err != nil {
		return err
	}
	if err := child(s.collector()); err != nil {
		return err
	}
	running := datadir.Running{
		PID: os.Getpid(), Started: time.Now(), Etcd: s.etcdURL(), Namespace: Namespace,
		OTLPGRPC: "http://" + s.plan.Address(ports.OTLPGRPC), OTLPHTTP: "http://" + s.plan.Address(ports.OTLPHTTP),
		Events: s.eventsURL(), NATS: s.natsURL(),
		Metrics: fmt.Sprintf("http://%s/metrics", s.plan.Address(ports.Metrics)),
	}
	if !s.opts.Demo {
		return s.dir.WriteRunning(running)
	}
	running.Shop = "http://" + s.plan.Address(ports.Storefront)
	failed := make(chan error, len(shop))
	for _, in := range shop {
		go func() { failed <- child(s.service(in.Service, in.Instance, in.Version)) }()
	}
	var errs []error
	for range shop {
		errs = append(errs, <-failed)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := s.dir.WriteRunning(running); err != nil {
		return err
	}
	return child(s.load())
}
