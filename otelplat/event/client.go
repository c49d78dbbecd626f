// SPDX-License-Identifier: Apache-2.0

package event

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otelplat/platform/otelplat/event/internal/again"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// MaxPublish bounds how long a publish tries, far below the two minutes in which
// JetStream knows an event again.
const MaxPublish = 30 * time.Second

// Client publishes events through a collector: each is an OTLP request of its own,
// and its answer says what became of the event. It is safe for concurrent use.
type Client struct {
	service  string
	provider *sdklog.LoggerProvider
	logger   log.Logger
}

// NewClient returns a client over an OTLP exporter of logs, which should not retry
// by itself, and which the client shuts down. The resource names the service.
// otelplat.Start makes one.
func NewClient(exporter sdklog.Exporter, res *resource.Resource) *Client {
	c := &Client{service: "unknown"}
	for _, a := range res.Attributes() {
		if a.Key == "service.name" {
			c.service = a.Value.AsString()
		}
	}
	// A provider of its own: the ordinary one cuts attributes and batches.
	c.provider = sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(&direct{exporter}),
		sdklog.WithAttributeCountLimit(-1), sdklog.WithAttributeValueLengthLimit(-1))
	c.logger = c.provider.Logger(scope)
	return c
}

// Publish implements [Publisher]. It tries again until the context ends or
// [MaxPublish] is over, and returns nil when the event is stored, an [*Error],
// [ErrUncertain] with the last failure, or why the event was refused: a gRPC status
// such as PermissionDenied.
func (c *Client) Publish(ctx context.Context, e Event) (err error) {
	e = e.Complete(c.service)
	if err := e.Check(); err != nil {
		return err
	}
	ctx, end := StartPublish(ctx, &e)
	defer func() { end(err) }()
	ctx, cancel := context.WithTimeout(ctx, MaxPublish)
	defer cancel()
	record := e.record(ctx)
	last, ended := again.Until(ctx, func() (bool, error) {
		var r result
		c.logger.Emit(context.WithValue(ctx, resultKey{}, &r), record)
		if !r.exported {
			return true, ErrClosed
		}
		return final(r.err), r.err
	})
	return Outcome(e.Type, last, ended)
}

// Outcome is the error of a publish that was tried until its time was over: what
// went wrong last, and that the time ended, nil when it did not. A bus calls it.
func Outcome(eventType string, last, ended error) error {
	switch {
	case ended != nil:
		return fmt.Errorf("%w: %s was not acknowledged: %w", ErrUncertain, eventType, errors.Join(last, ended))
	case last == nil || errors.Is(last, ErrClosed):
		return last
	}
	return fmt.Errorf("event: %s was refused: %w", eventType, last)
}

// Shutdown closes the connection. Publishes on their way end with an error.
func (c *Client) Shutdown(ctx context.Context) error { return c.provider.Shutdown(ctx) }

// final reports whether to try again would end alike. What OTLP says can be
// retried, and whatever is no answer of a server, is not final.
func final(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.Unimplemented, codes.Internal:
		return true
	}
	return false
}

// record returns the event as a log record.
func (e *Event) record(ctx context.Context) log.Record {
	var r log.Record
	r.SetEventName(e.Type)
	r.SetTimestamp(e.Time)
	r.SetObservedTimestamp(time.Now())
	r.SetBody(attribute.ByteSliceValue(e.Data))
	r.AddAttributes(
		attribute.String(semconv.CloudEventID, e.ID),
		attribute.String(semconv.CloudEventSource, e.Source),
		attribute.String(semconv.CloudEventType, e.Type),
		attribute.String(semconv.CloudEventSpecVersion, SpecVersion),
	)
	for name, value := range map[string]string{
		semconv.CloudEventSubject: e.Subject, semconv.CloudEventDataContentType: e.DataContentType,
		semconv.CloudEventDataSchema: e.DataSchema,
	} {
		if value != "" {
			r.AddAttributes(attribute.String(name, value))
		}
	}
	// The trace is the record's own; the tracing extensions carry what the record
	// cannot, and the traces of others.
	for name, value := range e.Traced(ctx).Extensions {
		r.AddAttributes(attribute.String(semconv.CloudEventExtension+name, value))
	}
	return r
}

// resultKey finds the result in the context of one record.
type resultKey struct{}

// result is what became of a record: Emit returns nothing.
type result struct {
	exported bool
	err      error
}

// direct exports each record while its Emit waits.
type direct struct{ exporter sdklog.Exporter }

func (d *direct) OnEmit(ctx context.Context, r *sdklog.Record) error {
	err := d.exporter.Export(ctx, []sdklog.Record{*r})
	if got, ok := ctx.Value(resultKey{}).(*result); ok {
		got.exported, got.err = true, err
		return nil // whoever publishes has it
	}
	return err
}

func (d *direct) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (d *direct) Shutdown(ctx context.Context) error                     { return d.exporter.Shutdown(ctx) }
func (d *direct) ForceFlush(ctx context.Context) error                   { return d.exporter.ForceFlush(ctx) }
