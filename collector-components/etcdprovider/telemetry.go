// SPDX-License-Identifier: Apache-2.0

package etcdprovider

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

const (
	scope = "github.com/otelplat/platform/collector-components/etcdprovider"

	// maxReason bounds why a document was refused, in an event.
	maxReason = 2048
)

// counts are read when metrics are collected: a collector makes a new meter provider
// with each reload, and the counts go on.
type counts struct {
	tally   sync.Mutex
	changes map[change]int64
	inForce map[string]int64 // revision by document
}

type change struct{ document, outcome string }

func (c *counts) add(document, outcome string) {
	c.tally.Lock()
	defer c.tally.Unlock()
	if c.changes == nil {
		c.changes, c.inForce = make(map[change]int64), make(map[string]int64)
	}
	c.changes[change{document, outcome}]++
}

// applied reports that a document runs.
func (c *counts) applied(r *revision) {
	c.add(r.name, "applied")
	c.tally.Lock()
	c.inForce[r.name] = r.number
	c.tally.Unlock()
	emit(semconv.EventCollectorConfigApply, log.SeverityInfo, r)
}

// refused reports that a document was refused, and why.
func (c *counts) refused(to *zap.Logger, r *revision, err error) {
	c.add(r.name, "refused")
	to.Error("the configuration from etcd was refused",
		zap.String("document", r.name), zap.Int64("revision", r.number), zap.Error(err))
	reason := err.Error()
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	emit(semconv.EventCollectorConfigRefuse, log.SeverityError, r, attribute.String("error.message", reason))
}

// observe reports the counts through a meter provider, until the function that it
// returns is called.
func (c *counts) observe(mp metric.MeterProvider) (end func(), err error) {
	m := mp.Meter(scope)
	changes, err1 := m.Int64ObservableCounter(semconv.CollectorConfigChanges, metric.WithUnit("{change}"),
		metric.WithDescription("Configurations from etcd that were applied or refused"))
	inForce, err2 := m.Int64ObservableGauge(semconv.CollectorConfigRevision, metric.WithUnit("{revision}"),
		metric.WithDescription("Revision of the configuration in force, 0 for the last good one on disk"))
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	registration, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		c.tally.Lock()
		defer c.tally.Unlock()
		for by, n := range c.changes {
			o.ObserveInt64(changes, n, metric.WithAttributes(
				attribute.String(semconv.VersionedDocument, by.document), attribute.String(semconv.ConfigOutcome, by.outcome)))
		}
		for document, number := range c.inForce {
			o.ObserveInt64(inForce, number, metric.WithAttributes(attribute.String(semconv.VersionedDocument, document)))
		}
		return nil
	}, changes, inForce)
	if err != nil {
		return nil, err
	}
	return func() { _ = registration.Unregister() }, nil // which fails only for a provider that ended
}

func emit(name string, severity log.Severity, r *revision, more ...attribute.KeyValue) {
	var record log.Record
	record.SetEventName(name)
	record.SetSeverity(severity)
	record.AddAttributes(attribute.String(semconv.VersionedDocument, r.name), attribute.Int64(semconv.ConfigRevision, r.number))
	record.AddAttributes(more...)
	otel.GetLoggerProvider().Logger(scope).Emit(context.Background(), record)
}
