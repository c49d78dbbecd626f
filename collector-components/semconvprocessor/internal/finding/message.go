// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"fmt"
	"strings"
)

// Message says in words what was found, without any value of the telemetry.
func (k *Key) Message() string {
	name, of := Text(k.Name), Text(k.Of)
	what := "Attribute"
	if k.Attribute() == "" {
		what = "Event"
		if k.Signal == Metric {
			what = "Metric"
		}
	}
	switch k.ID {
	case MissingAttribute:
		return fmt.Sprintf("Attribute '%s' does not exist in the registry.", name)
	case MissingMetric:
		return fmt.Sprintf("Metric '%s' does not exist in the registry.", name)
	case MissingEvent:
		return fmt.Sprintf("Event '%s' does not exist in the registry.", name)
	case TemplateAttribute:
		return fmt.Sprintf("Attributes of the template '%s' are in use.", name)
	case Deprecated:
		return fmt.Sprintf("%s '%s' is deprecated.", what, name)
	case TypeMismatch:
		return fmt.Sprintf("%s '%s' has another type than the registry says.", what, name)
	case NotStable:
		return fmt.Sprintf("%s '%s' is not stable.", what, name)
	case UnitMismatch:
		return fmt.Sprintf("Metric '%s' has another unit than the registry says.", name)
	case UnexpectedInstrument:
		return fmt.Sprintf("Metric '%s' has another instrument than the registry says.", name)
	case UndefinedEnumVariant:
		return fmt.Sprintf("Attribute '%s' has a value that is none of its members.", name)
	case KindMismatch:
		return fmt.Sprintf("A span with the attribute of '%s' has another kind than the registry says.", name)
	case RequiredAttribute:
		return fmt.Sprintf("Required attribute '%s' is not present%s.", name, on(of))
	case RecommendedAttribute:
		return fmt.Sprintf("Recommended attribute '%s' is not present%s.", name, on(of))
	case OptInAttribute:
		return fmt.Sprintf("Opt-in attribute '%s' is not present%s.", name, on(of))
	case ConditionallyRequiredAttribute:
		return fmt.Sprintf("Conditionally required attribute '%s' is not present%s.", name, on(of))
	case MissingNamespace:
		return fmt.Sprintf("%s '%s' has no namespace.", what, name)
	case InvalidFormat:
		return fmt.Sprintf("%s '%s' does not match the naming rules.", what, name)
	case IllegalNamespace:
		return fmt.Sprintf("Attribute '%s' has an attribute as its namespace.", name)
	case ExtendsNamespace:
		return fmt.Sprintf("Attribute '%s' extends a namespace of the registry.", name)
	}
	return name
}

// Attribute returns the attribute that it is about; empty for one about a metric,
// an event or a span.
func (k *Key) Attribute() string {
	switch k.ID {
	case MissingMetric, MissingEvent, UnitMismatch, UnexpectedInstrument, KindMismatch:
		return ""
	case Deprecated, NotStable, TypeMismatch, InvalidFormat:
		if k.Of == k.Name { // a metric or an event itself
			return ""
		}
	}
	return k.Name
}

// SignalName returns the metric, the event or the span's type that it is about.
func (k *Key) SignalName() string {
	if k.Attribute() == "" {
		return k.Name
	}
	return k.Of
}

func on(of string) string {
	if of == "" {
		return ""
	}
	return " on '" + of + "'"
}

// Text makes a name that is not UTF-8 fit for events and attributes, which are not
// exported otherwise, nor is what is beside them.
func Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
