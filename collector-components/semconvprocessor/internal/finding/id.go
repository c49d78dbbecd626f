// SPDX-License-Identifier: Apache-2.0

// Package finding is what a check of telemetry against a registry of conventions
// finds: its kinds and levels, which are those of weaver's live-check, the tally of
// one batch, and the bounded table of all. It has no clock and no goroutine: time
// is a parameter.
package finding

import (
	"fmt"
	"slices"
)

// ID is a kind of finding.
type ID uint8

// The kinds of findings. Their names are those of weaver's live-check.
const (
	None ID = iota
	MissingAttribute
	TemplateAttribute
	MissingMetric
	MissingEvent
	Deprecated
	TypeMismatch
	NotStable
	UnitMismatch
	UnexpectedInstrument
	UndefinedEnumVariant
	KindMismatch
	RequiredAttribute
	RecommendedAttribute
	OptInAttribute
	ConditionallyRequiredAttribute
	MissingNamespace
	InvalidFormat
	IllegalNamespace
	ExtendsNamespace

	IDs // how many there are, None included
)

var ids = [IDs]struct {
	name  string
	level Level
}{
	None:                           {"", Off},
	MissingAttribute:               {"missing_attribute", Violation},
	TemplateAttribute:              {"template_attribute", Information},
	MissingMetric:                  {"missing_metric", Violation},
	MissingEvent:                   {"missing_event", Violation},
	Deprecated:                     {"deprecated", Violation},
	TypeMismatch:                   {"type_mismatch", Violation},
	NotStable:                      {"not_stable", Improvement},
	UnitMismatch:                   {"unit_mismatch", Violation},
	UnexpectedInstrument:           {"unexpected_instrument", Violation},
	UndefinedEnumVariant:           {"undefined_enum_variant", Information},
	KindMismatch:                   {"kind_mismatch", Improvement},
	RequiredAttribute:              {"required_attribute_not_present", Violation},
	RecommendedAttribute:           {"recommended_attribute_not_present", Improvement},
	OptInAttribute:                 {"opt_in_attribute_not_present", Information},
	ConditionallyRequiredAttribute: {"conditionally_required_attribute_not_present", Information},
	MissingNamespace:               {"missing_namespace", Improvement},
	InvalidFormat:                  {"invalid_format", Violation},
	IllegalNamespace:               {"illegal_namespace", Violation},
	ExtendsNamespace:               {"extends_namespace", Information},
}

// String returns the name that weaver's live-check has for it.
func (i ID) String() string { return ids[i].name }

// Level returns the level that it has where the registry says nothing else.
func (i ID) Level() Level { return ids[i].level }

// OfAttribute reports whether it is about one attribute that is there, which can
// then be renamed or dropped.
func (i ID) OfAttribute() bool {
	switch i {
	case MissingAttribute, TemplateAttribute, Deprecated, TypeMismatch, NotStable, UndefinedEnumVariant,
		MissingNamespace, InvalidFormat, IllegalNamespace, ExtendsNamespace:
		return true
	}
	return false
}

// ParseID returns the kind of a name.
func ParseID(name string) (ID, error) {
	for i := None + 1; i < IDs; i++ {
		if ids[i].name == name {
			return i, nil
		}
	}
	return None, fmt.Errorf("%q is no finding id", name)
}

// Level says how serious a finding is.
type Level uint8

// The levels.
const (
	Off Level = iota
	Information
	Improvement
	Violation

	Levels // how many there are, Off included
)

var levels = []string{"off", "information", "improvement", "violation"}

// String returns the level's name.
func (l Level) String() string { return levels[l] }

// ParseLevel returns the level of a name.
func ParseLevel(name string) (Level, error) {
	if i := slices.Index(levels, name); i >= 0 {
		return Level(i), nil
	}
	return Off, fmt.Errorf("%q is no level: off, information, improvement or violation", name)
}

// Signal says what the finding is about: where the attribute was, or the signal
// that lacks it.
type Signal uint8

// The signals, in weaver's words: a log is a record or an event of a span.
const (
	Resource Signal = iota
	Span
	Metric
	Log

	Signals // how many there are
)

var signals = []string{"resource", "span", "metric", "log"}

// String returns the signal's name.
func (s Signal) String() string { return signals[s] }

// ParseSignal returns the signal of a name.
func ParseSignal(name string) (Signal, error) {
	if i := slices.Index(signals, name); i >= 0 {
		return Signal(i), nil
	}
	return 0, fmt.Errorf("%q is no signal: resource, span, metric or log", name)
}
