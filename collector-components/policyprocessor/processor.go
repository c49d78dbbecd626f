// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
)

// policyProcessor is one instance, in one pipeline.
type policyProcessor struct {
	cfg      *Config
	gate     *gate
	giveBack func() error
	work
}

// work is what the two modes do with a batch.
type work interface {
	traces(context.Context, ptrace.Traces) (ptrace.Traces, error)
	metrics(context.Context, pmetric.Metrics) (pmetric.Metrics, error)
	logs(context.Context, plog.Logs) (plog.Logs, error)
}

func newProcessor(set processor.Settings, cfg *Config, signal string) (*policyProcessor, error) {
	g := &gate{require: cfg.RequireBundle}
	t, err := newTelemetry(set.TelemetrySettings, signal, cfg.Bundle, g)
	if err != nil {
		return nil, err
	}
	g.telemetry = t
	p := &policyProcessor{cfg: cfg, gate: g}
	if cfg.Mode == ModeClaims {
		p.work = &claims{gate: g, telemetry: t, events: newEvents(), log: set.Logger, reject: cfg.Reject, tenantAttribute: cfg.TenantAttribute}
	} else {
		p.work = &enforcer{
			gate: g, telemetry: t, events: newEvents(), log: set.Logger, hashKey: hashKey(cfg.HashKey), observing: cfg.Mode == ModeObserve,
		}
	}
	return p, nil
}

// Start opens the engine, or joins one with the same source. It does not wait for
// a bundle: until there is one the gate stays closed.
func (p *policyProcessor) start(context.Context, component.Host) error {
	engine, giveBack, err := p.cfg.source().take()
	if err != nil {
		return err
	}
	p.gate.engine.Store(engine.Engine)
	p.giveBack = giveBack
	return nil
}

// shutdown gives the engine back. What still comes is refused or passes, as while
// nothing is loaded.
func (p *policyProcessor) shutdown(context.Context) error {
	p.gate.telemetry.Shutdown()
	if p.giveBack == nil {
		return nil
	}
	p.gate.engine.Store(nil)
	if err := p.giveBack(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
