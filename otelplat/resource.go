// SPDX-License-Identifier: Apache-2.0

package otelplat

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
)

// Attributes of the resource, by the names of the semantic conventions.
const (
	serviceNameKey       = attribute.Key("service.name")
	serviceVersionKey    = attribute.Key("service.version")
	serviceInstanceIDKey = attribute.Key("service.instance.id")
)

// newResource describes this process. Command line arguments are left out: they
// may hold secrets.
func newResource(ctx context.Context, c config, log *slog.Logger) (*resource.Resource, error) {
	fromEnv, err := resource.New(ctx, resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("otelplat: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	env := func(key attribute.Key) string {
		value, _ := fromEnv.Set().Value(key)
		return value.AsString()
	}
	name := cmp.Or(c.serviceName, env(serviceNameKey))
	if name == "" {
		name = "unknown_service:" + filepath.Base(os.Args[0])
		log.Warn("otelplat: no service name: set OTEL_SERVICE_NAME", "service.name", name)
	}
	attributes := []attribute.KeyValue{
		serviceNameKey.String(name),
		serviceInstanceIDKey.String(cmp.Or(c.instanceID, env(serviceInstanceIDKey), newUUID())),
	}
	if version := cmp.Or(c.serviceVersion, env(serviceVersionKey), buildVersion()); version != "" {
		attributes = append(attributes, serviceVersionKey.String(version))
	}
	res, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithProcessPID(),
		resource.WithProcessExecutableName(),
		resource.WithProcessRuntimeName(),
		resource.WithProcessRuntimeVersion(),
		resource.WithFromEnv(),
		resource.WithAttributes(attributes...),
		resource.WithAttributes(c.attributes...),
	)
	if err != nil {
		return nil, fmt.Errorf("otelplat: resource: %w", err)
	}
	return res, nil
}

// buildVersion is the version of the main module, "" for a build from a checkout
// without one.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return ""
	}
	return info.Main.Version
}

// newUUID returns a random UUID, version 4 (RFC 9562).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
