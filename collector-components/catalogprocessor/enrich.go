// SPDX-License-Identifier: Apache-2.0

package catalogprocessor

import (
	"strings"

	"github.com/otelplat/platform/collector-components/catalogprocessor/internal/catalog"
	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Attributes of OpenTelemetry's semantic conventions.
const (
	serviceName     = "service.name"
	serviceInstance = "service.instance.id"
	serviceVersion  = "service.version"
	zone            = "cloud.availability_zone"
)

// label is one that is written.
type label struct{ name, attribute string }

func labelsOf(names []string) []label {
	list := make([]label, len(names))
	for i, n := range names {
		list[i] = label{n, semconv.CatalogLabel + n}
	}
	return list
}

// resource writes what is known. What only the catalogue may say is taken out first,
// whoever set it.
func (b *batch) resource(attributes pcommon.Map) {
	attributes.RemoveIf(ours)
	service, instance := text(attributes, serviceName), text(attributes, serviceInstance)
	s, in := b.snapshot.Find(service, instance)
	switch {
	case !b.snapshot.Loaded:
		b.outcomes[notLoaded]++
	case service == "":
		b.outcomes[unnamed]++
		attributes.PutBool(semconv.CatalogKnown, false)
	case s == nil || !s.Known:
		b.outcomes[unknown]++
		b.stranger(service)
		attributes.PutBool(semconv.CatalogKnown, false)
	default:
		b.outcomes[knownService]++
		attributes.PutBool(semconv.CatalogKnown, true)
		put(attributes, semconv.CatalogOwner, s.Owner)
		put(attributes, semconv.CatalogTeam, s.Team)
		put(attributes, semconv.CatalogTier, s.Tier)
	}
	b.instance(attributes, s, in)
	if b.cfg.Discovery != nil && instance != "" && in == nil {
		b.misses++
	}
}

// instance writes what the instance says, as far as the sender does not, and the labels.
func (b *batch) instance(attributes pcommon.Map, s *catalog.Service, in *discovery.Instance) {
	if in != nil {
		b.fill(attributes, serviceVersion, in.Version)
		b.fill(attributes, zone, in.Zone)
	}
	if s == nil {
		return
	}
	for _, l := range b.labels {
		value := s.Labels[l.name]
		if in != nil && in.Labels[l.name] != "" {
			value = in.Labels[l.name]
		}
		put(attributes, l.attribute, value)
	}
}

func (b *batch) fill(attributes pcommon.Map, name, value string) {
	if value == "" {
		return
	}
	if v, there := attributes.Get(name); there && !b.cfg.Override && v.AsString() != "" {
		return
	}
	attributes.PutStr(name, value)
}

// ours reports whether an attribute is the catalogue's to say.
func ours(name string, _ pcommon.Value) bool { return strings.HasPrefix(name, semconv.CatalogPrefix) }

func put(attributes pcommon.Map, name, value string) {
	if value != "" {
		attributes.PutStr(name, value)
	}
}

func text(attributes pcommon.Map, name string) string {
	v, ok := attributes.Get(name)
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}
