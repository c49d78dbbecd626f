// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"unicode/utf8"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
)

// Limits of a set.
const (
	MaxSeries     = 2000 // of one name, OpenTelemetry's default; an option of the set
	MaxNames      = 2000
	MaxName       = 255  // bytes, OpenTelemetry's limit
	MaxUnit       = 63   // bytes, OpenTelemetry's limit
	MaxAttributes = 32   // of one series
	MaxValue      = 1024 // bytes of an attribute's value
)

// Option configures an instrument.
type Option func(*identity)

// identity is what an instrument is asked for by.
type identity struct {
	name, unit, description string
	attributes              []attribute.KeyValue
}

// WithUnit sets the unit in UCUM, as "s", "By" or "{order}".
func WithUnit(unit string) Option { return func(i *identity) { i.unit = unit } }

// WithDescription says what is counted. The first one of a name holds.
func WithDescription(text string) Option { return func(i *identity) { i.description = text } }

// With adds attributes.
func With(attributes ...attribute.KeyValue) Option {
	return func(i *identity) { i.attributes = append(i.attributes, attributes...) }
}

// Error says which field of an instrument cannot be used.
type Error struct {
	Field  string
	Reason string
}

func (e *Error) Error() string { return "metrics: " + e.Field + " " + e.Reason }

func invalid(field, format string, args ...any) error {
	return &Error{field, fmt.Sprintf(format, args...)}
}

// check holds the identity against OpenTelemetry's rules for instruments, and
// returns the labels that Prometheus knows the attributes by.
func (i *identity) check(set attribute.Set) ([]string, error) {
	switch {
	case i.name == "" || len(i.name) > MaxName:
		return nil, invalid("name", "has %d bytes, want 1 to %d", len(i.name), MaxName)
	case len(i.unit) > MaxUnit:
		return nil, invalid("unit", "has %d bytes, more than %d", len(i.unit), MaxUnit)
	case set.Len() > MaxAttributes:
		return nil, invalid("attributes", "are %d, more than %d", set.Len(), MaxAttributes)
	}
	for n, r := range i.name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
		case n > 0 && ('0' <= r && r <= '9' || r == '_' || r == '.' || r == '-' || r == '/'):
		case n == 0:
			return nil, invalid("name", "%q does not begin with a letter", i.name)
		default:
			return nil, invalid("name", "holds %q: letters, digits, underscores, dots, hyphens and slashes are allowed", r)
		}
	}
	for _, r := range i.unit {
		if r <= ' ' || r > '~' {
			return nil, invalid("unit", "holds %q: printable ASCII without spaces is allowed", r)
		}
	}
	if !utf8.ValidString(i.description) || len(i.description) > MaxValue {
		return nil, invalid("description", "has %d bytes, want UTF-8 and at most %d", len(i.description), MaxValue)
	}
	labels := make([]string, 0, set.Len())
	seen := make(map[string]attribute.Key, set.Len())
	namer := otlptranslator.LabelNamer{}
	for _, a := range set.ToSlice() {
		label, err := namer.Build(string(a.Key))
		if err != nil || label == "le" || label == "quantile" {
			return nil, invalid("attribute", "%.64q cannot be a label", string(a.Key))
		}
		if other, taken := seen[label]; taken {
			return nil, invalid("attribute", "%q and %q are the same label %s", other, a.Key, label)
		}
		if v := a.Value.String(); len(v) > MaxValue || !utf8.ValidString(v) {
			return nil, invalid("attribute", "%q has a value of %d bytes, want UTF-8 and at most %d", a.Key, len(v), MaxValue)
		}
		seen[label] = a.Key
		labels = append(labels, label)
	}
	return labels, nil
}
