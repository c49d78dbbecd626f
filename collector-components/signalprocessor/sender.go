// SPDX-License-Identifier: Apache-2.0

package signalprocessor

import (
	"context"
	"strings"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/signal"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// sender is who sends, as the receiver's authenticator says. The zero value is nobody.
type sender struct {
	principal string
	service   string // that the principal is, "" when it is something else
	hash      uint64 // of the principal
}

// servicePrefix begins the principals that are services.
const servicePrefix = "service:"

func senderOf(ctx context.Context) sender {
	auth := client.FromContext(ctx).Auth
	if auth == nil {
		return sender{}
	}
	var s sender
	s.principal, _ = auth.GetAttribute(semconv.SenderPrincipal).(string)
	if s.principal != "" {
		s.hash = signal.HashCaller(s.principal)
	}
	if service, ok := strings.CutPrefix(s.principal, servicePrefix); ok {
		s.service = service
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
	b.own = b.service != "" && b.sender.service == b.service
	if len(b.agents) > 0 && b.agents[b.sender.principal] && coord.CheckName("service", b.service) == nil {
		b.caller, b.own = signal.HashCaller(servicePrefix+b.service), true
	}
	b.reportOf = [len(b.reportOf)]serverReport{}
}

// text returns an attribute that is a string, "" when there is none.
func text(attributes pcommon.Map, name string) string {
	v, ok := attributes.Get(name)
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}
