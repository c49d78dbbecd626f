// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
)

// The registries that a document may extend.
const (
	ExtendsOpenTelemetry = "opentelemetry"
	ExtendsNone          = "none"
)

// reader puts together what one or more documents define. A later document's
// definition takes the place of an earlier one of the same name.
type reader struct {
	attributes map[string]*AttributeDef
	groups     map[string]*Signal        // by id, for those that extend or include them
	resolved   map[*Signal][]Requirement // nil while it is being resolved
	signals    map[section]map[string]*SignalDef
	resource   *SignalDef
	namespaces []string
	levels     []LevelDef
}

// section is what a group is.
type section string

const (
	attributeGroup section = "attribute_group"
	spanSection    section = "span"
	metricSection  section = "metric"
	eventSection   section = "event"
	resources      section = "resource"
)

// Read returns what a document means.
func Read(d *Document) (*Definitions, error) {
	r := &reader{
		attributes: make(map[string]*AttributeDef),
		groups:     make(map[string]*Signal),
		resolved:   make(map[*Signal][]Requirement),
		signals:    map[section]map[string]*SignalDef{spanSection: {}, metricSection: {}, eventSection: {}},
	}
	switch d.Extends {
	case "", ExtendsOpenTelemetry:
		base, err := OpenTelemetry()
		if err != nil {
			return nil, err
		}
		for _, layer := range base {
			if err := r.add(layer); err != nil {
				return nil, fmt.Errorf("%s: %w", ExtendsOpenTelemetry, err)
			}
		}
	case ExtendsNone:
	default:
		return nil, fmt.Errorf("extends is %q, not %s or %s", d.Extends, ExtendsOpenTelemetry, ExtendsNone)
	}
	if err := r.add(d); err != nil {
		return nil, err
	}
	out := &Definitions{
		Attributes: sorted(r.attributes), Resource: r.resource,
		Spans: sorted(r.signals[spanSection]), Metrics: sorted(r.signals[metricSection]), Events: sorted(r.signals[eventSection]),
		Namespaces: r.namespaces, Levels: r.levels,
	}
	if d.Version != nil {
		out.Version = fmt.Sprint(d.Version)
	}
	return out, nil
}

func sorted[T any](m map[string]T) []T {
	list := make([]T, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[k])
	}
	return list
}

// part is a group with what it is.
type part struct {
	*Signal
	section section
}

// parts returns all groups of a document, those that only define attributes first.
func (d *Document) parts() ([]part, error) {
	var groups, others []part
	for i := range d.AttributeGroups {
		groups = append(groups, part{&d.AttributeGroups[i], attributeGroup})
	}
	for i := range d.Groups {
		g := part{&d.Groups[i], section(d.Groups[i].Type)}
		switch g.section {
		case "", "attribute_group", "metric_group", "scope":
			g.section = attributeGroup
			groups = append(groups, g)
		case "entity":
			g.section = attributeGroup // which entities a resource has to have is not said
			groups = append(groups, g)
		case spanSection, metricSection, eventSection, resources:
			others = append(others, g)
		default:
			return nil, fmt.Errorf("groups[%d]: type %q is not known", i, g.Type)
		}
	}
	for _, s := range []struct {
		section section
		list    []Signal
	}{{spanSection, d.Spans}, {metricSection, d.Metrics}, {eventSection, d.Events}} {
		for i := range s.list {
			others = append(others, part{&s.list[i], s.section})
		}
	}
	if d.Resource != nil {
		others = append(others, part{d.Resource, resources})
	}
	return append(groups, others...), nil
}

func (r *reader) add(d *Document) error {
	defined := make(map[string]bool) // by this document
	for i := range d.Attributes {
		if err := r.define(&d.Attributes[i], "", defined); err != nil {
			return fmt.Errorf("attributes[%d]: %w", i, err)
		}
	}
	parts, err := d.parts()
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.ID != "" {
			r.groups[p.ID] = p.Signal
		}
		for i := range p.Attributes {
			a := &p.Attributes[i]
			name, ref := a.label(p.Prefix)
			if ref || a.RefGroup != "" || a.Type == nil || (p.section != attributeGroup && defined[name]) {
				continue
			}
			if err := r.define(a, p.Prefix, defined); err != nil {
				return fmt.Errorf("%s: %w", p.title(), err)
			}
		}
	}
	for _, p := range parts {
		if err := r.signal(p); err != nil {
			return fmt.Errorf("%s: %w", p.title(), err)
		}
	}
	r.namespaces = append(r.namespaces, d.Namespaces...)
	for i, l := range d.Levels {
		def, err := l.read()
		if err != nil {
			return fmt.Errorf("levels[%d]: %w", i, err)
		}
		r.levels = append(r.levels, def)
	}
	return nil
}

// define takes an attribute's definition.
func (r *reader) define(a *Attribute, prefix string, defined map[string]bool) error {
	name, ref := a.label(prefix)
	if name == "" || ref {
		return errors.New("an attribute has no key")
	}
	def, err := a.read(name)
	if err != nil {
		return err
	}
	r.attributes[name] = def
	defined[name] = true
	return nil
}

// title names a group in an error.
func (p part) title() string { return string(p.section) + " " + p.name() }

// name returns what telemetry calls the signal; of a span, and of a group, it is
// only for people.
func (p part) name() string {
	name, _ := p.Name.(string)
	switch p.section {
	case metricSection:
		if p.MetricName != "" {
			return p.MetricName
		}
		return name
	case eventSection:
		if name != "" {
			return name
		}
		return strings.TrimPrefix(p.ID, "event.")
	case spanSection:
		if p.ID != "" {
			return strings.TrimPrefix(p.ID, "span.")
		}
		if p.Type != string(spanSection) && p.Type != "" {
			return p.Type
		}
		return name
	}
	if p.ID != "" {
		return p.ID
	}
	return name
}

func (l *Level) read() (LevelDef, error) {
	var d LevelDef
	for i := range d.IDs {
		d.IDs[i] = len(l.IDs) == 0
	}
	for _, name := range l.IDs {
		id, err := finding.ParseID(name)
		if err != nil {
			return d, err
		}
		d.IDs[id] = true
	}
	for i := range d.Signals {
		d.Signals[i] = l.Signal == ""
	}
	if l.Signal != "" {
		s, err := finding.ParseSignal(l.Signal)
		if err != nil {
			return d, err
		}
		d.Signals[s] = true
	}
	d.Names = l.Names
	var err error
	d.Level, err = finding.ParseLevel(l.Level)
	return d, err
}
