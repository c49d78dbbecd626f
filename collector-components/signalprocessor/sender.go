// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"

	"github.com/otelplat/platform/collector-components/signalprocessor/internal/aggregate"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// sender is who sends, as the receiver's authenticator says. The zero value is nobody.
type sender struct {
	principal, subject string
	hash               uint64 // of the principal
}

func senderOf(ctx context.Context) sender {
	auth := client.FromContext(ctx).Auth
	if auth == nil {
		return sender{}
	}
	var s sender
	s.principal, _ = auth.GetAttribute(semconv.SenderPrincipal).(string)
	s.subject, _ = auth.GetAttribute(semconv.SenderSubject).(string)
	if s.principal != "" {
		s.hash = signal.HashCaller(s.principal)
	}
	return s
}

// resource reads whose telemetry comes next. A caller is the principal that sends, whatever
// the resource says, but where the principal is an agent.
func (b *batch) resource(r pcommon.Resource) {
	b.attributes = r.Attributes()
	b.service = text(b.attributes, "service.name")
	b.resourceHash = 0
	b.caller = b.sender.hash
	b.own = b.sender.principal != "" && b.service != "" && b.sender.subject == b.service
	if len(b.agents) > 0 && b.agents[b.sender.principal] && coord.CheckName("service", b.service) == nil {
		b.caller, b.own = signal.HashCaller("service:"+b.service), true
	}
	b.report = serverReport{source: aggregate.Metrics}
}

// text returns an attribute that is a string, "" when there is none.
func text(attributes pcommon.Map, name string) string {
	v, ok := attributes.Get(name)
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}
