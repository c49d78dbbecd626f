// SPDX-License-Identifier: Apache-2.0

package registry

import "github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"

// Definitions are a registry as it is meant: every group resolved, sorted by name.
// They are not changed after they were read.
type Definitions struct {
	Version    string
	Attributes []*AttributeDef
	Spans      []*SignalDef
	Metrics    []*SignalDef
	Events     []*SignalDef
	Resource   *SignalDef
	Namespaces []string
	Levels     []LevelDef
}

// Base is the type of a value, or of an element of an array.
type Base uint8

// The types of values.
const (
	Any Base = iota
	String
	Int
	Double
	Boolean
)

// AttributeDef is what is known of an attribute.
type AttributeDef struct {
	Key      string
	Base     Base
	Array    bool
	Template bool // Key is the beginning of many names: http.request.header.<name>

	// Texts or Numbers are the members of an enum.
	Texts   []string
	Numbers []int64

	Stability  string // empty: not said
	Deprecated *Deprecation
}

// Deprecation says what is to be used instead.
type Deprecation struct {
	Reason, Note string
	RenamedTo    string
	ByKind       map[string]string // the successor on spans of a kind
}

// Requirement is an attribute that a signal should carry, and what is found where
// it does not.
type Requirement struct {
	Key  string
	Lack finding.ID
}

// SignalDef is what is known of a type of span, a metric, an event or the resource.
type SignalDef struct {
	Name       string
	Kind       string   // of a span; empty: any
	Match      []string // of a span
	Instrument string   // of a metric
	Unit       string
	HasUnit    bool
	ValueType  Base // of a metric; Any: not said
	Stability  string
	Deprecated *Deprecation
	Attributes []Requirement
}

// LevelDef changes levels.
type LevelDef struct {
	IDs     [finding.IDs]bool
	Signals [finding.Signals]bool
	Names   []string // empty: all
	Level   finding.Level
}
