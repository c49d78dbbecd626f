// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
)

var (
	kindNames       = []string{"internal", "server", "client", "producer", "consumer"}
	instrumentNames = []string{"counter", "updowncounter", "gauge", "histogram"}
)

// signal takes what a group says about a signal.
func (r *reader) signal(p part) error {
	requirements, err := r.requirements(p.Signal)
	if err != nil || p.section == attributeGroup {
		return err
	}
	d := &SignalDef{Name: p.name(), Stability: stability(p.Stability), Attributes: requirements}
	if d.Deprecated, err = readDeprecated(p.Deprecated); err != nil {
		return err
	}
	if p.section == resources {
		r.addResource(d)
		return nil
	}
	if d.Name == "" {
		return errors.New("has no name")
	}
	switch p.section {
	case spanSection:
		err = r.span(p.Signal, d)
	case metricSection:
		err = readMetric(p.Signal, d)
	}
	if err != nil {
		return err
	}
	r.signals[p.section][d.Name] = d
	return nil
}

// addResource adds to what a resource has to carry; what was said before of the
// same attribute gives way.
func (r *reader) addResource(d *SignalDef) {
	if r.resource == nil {
		r.resource = &SignalDef{}
	}
	all := slices.Clone(r.resource.Attributes)
	for _, q := range d.Attributes {
		all = put(all, q.Key, q.Lack)
	}
	r.resource = &SignalDef{Attributes: all}
}

func (r *reader) span(s *Signal, d *SignalDef) error {
	d.Kind = cmp.Or(s.Kind, s.SpanKind)
	if d.Kind != "" && !slices.Contains(kindNames, d.Kind) {
		return fmt.Errorf("kind %q is not one of %s", d.Kind, strings.Join(kindNames, ", "))
	}
	d.Match = s.Match
	for _, key := range s.Match {
		if r.attributes[key] == nil {
			return fmt.Errorf("match: attribute %s is not defined", key)
		}
	}
	if len(d.Match) == 0 {
		for _, q := range d.Attributes {
			if q.Lack == finding.RequiredAttribute {
				d.Match = []string{q.Key}
				break
			}
		}
	}
	return nil
}

func readMetric(s *Signal, d *SignalDef) error {
	d.Instrument = s.Instrument
	if d.Instrument != "" && !slices.Contains(instrumentNames, d.Instrument) {
		return fmt.Errorf("instrument %q is not one of %s", d.Instrument, strings.Join(instrumentNames, ", "))
	}
	if s.Unit != nil {
		d.Unit, d.HasUnit = fmt.Sprint(s.Unit), true
	}
	switch s.ValueType {
	case "":
	case "int":
		d.ValueType = Int
	case "double":
		d.ValueType = Double
	default:
		return fmt.Errorf("value_type %q is not int or double", s.ValueType)
	}
	return nil
}

// requirements returns the attributes of a group, with those of the groups that it
// extends and includes. Each group is resolved once: with two ways to each of a
// few dozen groups there would be more ways than time.
func (r *reader) requirements(s *Signal) ([]Requirement, error) {
	if all, known := r.resolved[s]; known {
		if all == nil {
			return nil, errors.New("a group extends or includes itself")
		}
		return all, nil
	}
	r.resolved[s] = nil
	all, err := r.resolve(s)
	if err == nil && all == nil {
		all = []Requirement{}
	}
	r.resolved[s] = all
	return all, err
}

func (r *reader) resolve(s *Signal) ([]Requirement, error) {
	var all []Requirement
	include := func(id string) error {
		g := r.groups[id]
		if g == nil {
			return fmt.Errorf("group %s is not defined", id)
		}
		theirs, err := r.requirements(g)
		for _, q := range theirs {
			all = put(all, q.Key, q.Lack)
		}
		return err
	}
	if s.Extends != "" {
		if err := include(s.Extends); err != nil {
			return nil, err
		}
	}
	for i := range s.Attributes {
		a := &s.Attributes[i]
		if a.RefGroup != "" {
			if err := include(a.RefGroup); err != nil {
				return nil, err
			}
			continue
		}
		name, _ := a.label(s.Prefix)
		if r.attributes[name] == nil {
			return nil, fmt.Errorf("attribute %q is not defined", name)
		}
		lack, err := readRequirement(a.RequirementLevel)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		if a.RequirementLevel == nil && slices.ContainsFunc(all, func(q Requirement) bool { return q.Key == name }) {
			continue // as the group says that is extended
		}
		all = put(all, name, lack)
	}
	for _, short := range []struct {
		names []string
		lack  finding.ID
	}{{s.Recommended, finding.RecommendedAttribute}, {s.Required, finding.RequiredAttribute}} {
		for _, name := range short.names {
			if r.attributes[name] == nil {
				return nil, fmt.Errorf("attribute %q is not defined", name)
			}
			all = put(all, name, short.lack)
		}
	}
	return all, nil
}

// put sets what is found where an attribute is not there.
func put(all []Requirement, key string, lack finding.ID) []Requirement {
	for i := range all {
		if all[i].Key == key {
			all[i].Lack = lack
			return all
		}
	}
	return append(all, Requirement{key, lack})
}
