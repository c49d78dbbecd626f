// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"slices"
	"strings"
)

// Selector chooses members: those that all of its fields match. The zero value chooses
// all.
type Selector struct {
	Labels   map[string]string // that a member has, with these values
	Zone     string
	Version  string
	Statuses []Status // one of them, as [Member.State] says it; nil for all
}

// SelectorError says which part of a selector cannot be read.
type SelectorError struct {
	Part   string
	Reason string
}

func (e *SelectorError) Error() string {
	return fmt.Sprintf("discovery: selector %q %s", e.Part, e.Reason)
}

// ParseSelector reads parts that are separated by commas: zone=Z, version=V, status=S,
// where statuses are separated by |, and label.KEY=VALUE. "" chooses all. It returns
// [*SelectorError].
func ParseSelector(s string) (Selector, error) {
	var sel Selector
	if s == "" {
		return sel, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		label, isLabel := strings.CutPrefix(key, "label.")
		switch {
		case !ok || value == "":
			return Selector{}, &SelectorError{part, "is not KEY=VALUE"}
		case key == "zone":
			sel.Zone = value
		case key == "version":
			sel.Version = value
		case key == "status":
			for status := range strings.SplitSeq(value, "|") {
				if !slices.Contains([]Status{Starting, Up, Draining, Down, Contradicted, Unconfirmed}, Status(status)) {
					return Selector{}, &SelectorError{part, fmt.Sprintf("names the unknown status %q", status)}
				}
				sel.Statuses = append(sel.Statuses, Status(status))
			}
		case isLabel && label != "":
			if sel.Labels == nil {
				sel.Labels = make(map[string]string)
			}
			sel.Labels[label] = value
		default:
			return Selector{}, &SelectorError{part, "is none of zone, version, status, label.KEY"}
		}
	}
	return sel, nil
}

// Match reports whether the selector chooses a member.
func (s *Selector) Match(m *Member) bool {
	if s.Zone != "" && m.Zone != s.Zone || s.Version != "" && m.Version != s.Version {
		return false
	}
	if s.Statuses != nil && !slices.Contains(s.Statuses, m.State()) {
		return false
	}
	for key, value := range s.Labels {
		if have, ok := m.Labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// Select returns the members of a service that the selector chooses, in the order of their
// ids.
func (s *Selector) Select(d Directory, service string) []Member {
	var chosen []Member
	for _, m := range d.Members(service) {
		if s.Match(&m) {
			chosen = append(chosen, m)
		}
	}
	return chosen
}
