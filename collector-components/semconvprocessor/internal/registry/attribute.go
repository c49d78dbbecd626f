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

// label returns the attribute's name, and whether it is defined elsewhere.
func (a *Attribute) label(prefix string) (name string, ref bool) {
	if a.Ref != "" {
		return a.Ref, true
	}
	name = cmp.Or(a.Key, a.ID, a.Name)
	if prefix != "" && name != "" {
		name = prefix + "." + name
	}
	return name, false
}

// read returns what the attribute defines.
func (a *Attribute) read(name string) (*AttributeDef, error) {
	d := &AttributeDef{Key: name, Stability: stability(a.Stability)}
	var err error
	if err = d.readType(a.Type); err == nil {
		d.Deprecated, err = readDeprecated(a.Deprecated)
	}
	if err != nil {
		return nil, fmt.Errorf("attribute %s: %w", name, err)
	}
	return d, nil
}

func (d *AttributeDef) readType(t any) error {
	switch t := t.(type) {
	case string:
		return d.readPlain(t)
	case map[string]any:
		members, ok := t["members"].([]any)
		if !ok || len(members) == 0 {
			return errors.New("type has no members")
		}
		return d.readMembers(members)
	case nil:
		return errors.New("has no type")
	}
	return errors.New("type is neither a text nor members")
}

func (d *AttributeDef) readPlain(t string) error {
	rest := strings.TrimSpace(t)
	if inner, ok := strings.CutPrefix(rest, "template["); ok {
		if rest, ok = strings.CutSuffix(inner, "]"); !ok {
			return fmt.Errorf("type %q is not closed", t)
		}
		d.Template = true
	}
	rest, d.Array = strings.CutSuffix(rest, "[]")
	switch rest {
	case "string":
		d.Base = String
	case "int":
		d.Base = Int
	case "double":
		d.Base = Double
	case "boolean":
		d.Base = Boolean
	case "any":
		d.Base, d.Array = Any, false
	default:
		return fmt.Errorf("type %q is not known", t)
	}
	return nil
}

// readMembers takes members as texts and numbers, or as maps with a value.
func (d *AttributeDef) readMembers(members []any) error {
	for _, m := range members {
		value := m
		if fields, ok := m.(map[string]any); ok {
			if value, ok = fields["value"]; !ok {
				value = fields["id"]
			}
		}
		switch v := value.(type) {
		case string:
			d.Base = String
			d.Texts = append(d.Texts, v)
		case int:
			d.Base = Int
			d.Numbers = append(d.Numbers, int64(v))
		case int64:
			d.Base = Int
			d.Numbers = append(d.Numbers, v)
		default:
			return errors.New("a member is neither a text nor a whole number")
		}
	}
	if len(d.Texts) > 0 && len(d.Numbers) > 0 {
		return errors.New("members are texts and numbers")
	}
	return nil
}

// readDeprecated takes a text, which is a note, or a reason with its successor.
func readDeprecated(v any) (*Deprecation, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return &Deprecation{Reason: "uncategorized", Note: v}, nil
	case map[string]any:
		d := &Deprecation{}
		for field, to := range map[string]*string{"reason": &d.Reason, "note": &d.Note, "renamed_to": &d.RenamedTo} {
			text, ok := v[field].(string)
			if v[field] != nil && !ok {
				return nil, fmt.Errorf("deprecated.%s is not a text", field)
			}
			*to = strings.TrimSpace(text)
		}
		kinds, ok := v["renamed_by_kind"].(map[string]any)
		if v["renamed_by_kind"] != nil && !ok {
			return nil, errors.New("deprecated.renamed_by_kind does not have fields")
		}
		for kind, to := range kinds {
			text, ok := to.(string)
			if !ok || !slices.Contains(kindNames, kind) {
				return nil, fmt.Errorf("deprecated.renamed_by_kind.%s is no kind with a text", kind)
			}
			if d.ByKind == nil {
				d.ByKind = make(map[string]string)
			}
			d.ByKind[kind] = text
		}
		d.Reason = cmp.Or(d.Reason, "uncategorized")
		return d, nil
	}
	return nil, errors.New("deprecated is neither a text nor fields")
}

// Successor returns what to use instead on a span of a kind, or elsewhere; empty
// where there is no one name.
func (d *Deprecation) Successor(kind string) string {
	return cmp.Or(d.ByKind[kind], d.RenamedTo)
}

// Advice says in words what to do.
func (d *Deprecation) Advice() string {
	switch {
	case d.Note != "":
		return d.Note
	case d.RenamedTo != "":
		return "Use " + d.RenamedTo + "."
	}
	return d.Reason
}

// stability returns the stages' names of today.
func stability(s string) string {
	if s == "experimental" {
		return "development"
	}
	return s
}

// readRequirement returns what is found where the attribute is not there.
func readRequirement(v any) (finding.ID, error) {
	name, ok := v.(string)
	if fields, isMap := v.(map[string]any); isMap && len(fields) == 1 {
		for name = range fields {
			ok = true
		}
	}
	switch {
	case v == nil:
		return finding.RecommendedAttribute, nil
	case !ok:
	case name == "required":
		return finding.RequiredAttribute, nil
	case name == "recommended":
		return finding.RecommendedAttribute, nil
	case name == "opt_in":
		return finding.OptInAttribute, nil
	case name == "conditionally_required":
		return finding.ConditionallyRequiredAttribute, nil
	}
	return finding.None, errors.New("requirement_level is not required, recommended, opt_in or conditionally_required")
}
