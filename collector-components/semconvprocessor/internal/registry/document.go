// SPDX-License-Identifier: Apache-2.0

// Package registry reads a registry of semantic conventions: which attributes,
// spans, metrics and events there are, and what is to be expected of them. Its
// document has the shape of weaver's definitions, both the sections of the second
// format (attributes, spans, metrics, events) and the groups of the first one and
// of resolved registries, with a few fields of our own. OpenTelemetry's own
// conventions are embedded.
package registry

// Document is a registry as it is written. Fields that only document (brief, note,
// examples) are read over.
type Document struct {
	// Version is the registry's own, for reports.
	Version any `config:"version"`

	// Extends is the registry that this one adds to: "opentelemetry", the default,
	// or "none".
	Extends string `config:"extends"`

	Attributes      []Attribute `config:"attributes"`
	AttributeGroups []Signal    `config:"attribute_groups"`
	Spans           []Signal    `config:"spans"`
	Metrics         []Signal    `config:"metrics"`
	Events          []Signal    `config:"events"`
	Groups          []Signal    `config:"groups"` // weaver's first format; type says what it is

	// Resource says what every resource has to carry.
	Resource *Signal `config:"resource"`

	// Namespaces are those in which everybody may have attributes, metrics and
	// events that the registry does not know: "acme" allows acme.anything.
	Namespaces []string `config:"namespaces"`

	// Levels change the level of findings, a later one before an earlier one.
	Levels []Level `config:"levels"`

	FileFormat  any `config:"file_format"`
	Name        any `config:"name"`
	Description any `config:"description"`
	SchemaURL   any `config:"schema_url"`
	RegistryURL any `config:"registry_url"`
	Imports     any `config:"imports"`
	Entities    any `config:"entities"`
	Stability   any `config:"stability"`
}

// Attribute is an attribute, or what a signal says about one. Key, id and name are
// its name, ref the name of one that is defined elsewhere.
type Attribute struct {
	Key      string `config:"key"`
	ID       string `config:"id"`
	Name     string `config:"name"`
	Ref      string `config:"ref"`
	RefGroup string `config:"ref_group"` // in place of an attribute: all of a group

	// Type is string, int, double, boolean, any, one of these with [], template[…]
	// of one of these, or {members: […]}.
	Type any `config:"type"`

	Stability  string `config:"stability"`
	Deprecated any    `config:"deprecated"`

	// RequirementLevel is required, recommended, opt_in, or a map with one of
	// these or conditionally_required as its key.
	RequirementLevel any `config:"requirement_level"`

	Brief            any `config:"brief"`
	Note             any `config:"note"`
	Examples         any `config:"examples"`
	Tag              any `config:"tag"`
	Tags             any `config:"tags"`
	SamplingRelevant any `config:"sampling_relevant"`
	Annotations      any `config:"annotations"`
	Role             any `config:"role"`
	Prefix           any `config:"prefix"`
	Value            any `config:"value"`
	Provenance       any `config:"provenance"`
}

// Signal is a group of attributes: those of a span, a metric, an event or the
// resource, or one that others refer to.
type Signal struct {
	ID   string `config:"id"`
	Type string `config:"type"` // a span's name in its section; in groups what it is
	Name any    `config:"name"` // of a metric or an event; of a span it only documents

	// Match are attributes by any of which a span is known as one of this type.
	// Without it that is the first one that is required.
	Match []string `config:"match"`

	Kind       string `config:"kind"` // of a span
	SpanKind   string `config:"span_kind"`
	MetricName string `config:"metric_name"`
	Instrument string `config:"instrument"` // counter, updowncounter, gauge, histogram
	Unit       any    `config:"unit"`
	ValueType  string `config:"value_type"` // int or double
	Stability  string `config:"stability"`
	Deprecated any    `config:"deprecated"`
	Extends    string `config:"extends"` // id of a group whose attributes it has too
	Prefix     string `config:"prefix"`  // of the ids of its attributes

	Attributes []Attribute `config:"attributes"`

	// Required and Recommended are short for attributes with that level.
	Required    []string `config:"required"`
	Recommended []string `config:"recommended"`

	Brief              any `config:"brief"`
	Note               any `config:"note"`
	DisplayName        any `config:"display_name"`
	Examples           any `config:"examples"`
	Events             any `config:"events"`
	Constraints        any `config:"constraints"`
	EntityAssociations any `config:"entity_associations"`
	RequirementLevel   any `config:"requirement_level"`
	Annotations        any `config:"annotations"`
	Visibility         any `config:"visibility"`
	Lineage            any `config:"lineage"`
	Provenance         any `config:"provenance"`
	Body               any `config:"body"`
	IsV2               any `config:"is_v2"`
}

// Level changes the level of the findings that all of its fields are true of.
type Level struct {
	IDs    []string `config:"ids"`    // without them all
	Signal string   `config:"signal"` // resource, span, metric or log; without it all
	Names  []string `config:"names"`  // of attributes, metrics and events, with * for any text
	Level  string   `config:"level"`  // violation, improvement, information or off
}

// Validate implements what package configsrc asks of a document.
func (d *Document) Validate() error {
	_, err := Read(d)
	return err
}
