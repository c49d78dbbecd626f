// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"slices"

	"github.com/otelplat/platform/collector-components/semconvprocessor/internal/finding"
	"github.com/otelplat/platform/otelplat/semconv"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Action is what is done about a finding.
type Action uint8

// The actions.
const (
	Nothing       Action = iota
	Annotate             // the item gets an attribute with the finding's id
	Rename               // a deprecated attribute gets its successor's name
	DropAttribute        // the attribute goes
	DropItem             // the span, data point or record goes, for a violation

	Actions // how many there are
)

var actions = []string{"none", "annotate", "rename", "drop_attribute", "drop_item"}

// String returns the action's name.
func (a Action) String() string { return actions[a] }

// Enforcement is what is done about each kind of finding.
type Enforcement [finding.IDs]Action

// ParseEnforcement reads actions by finding. It returns nil when nothing is to be
// done.
func ParseEnforcement(by map[string]string) (*Enforcement, error) {
	var e Enforcement
	for name, action := range by {
		id, err := finding.ParseID(name)
		if err != nil {
			return nil, err
		}
		i := slices.Index(actions, action)
		if i < 0 {
			return nil, fmt.Errorf("%s: %q is no action: none, annotate, rename, drop_attribute or drop_item", name, action)
		}
		switch a := Action(i); {
		case a == Rename && id != finding.Deprecated:
			return nil, fmt.Errorf("%s: rename is for %s only", name, finding.Deprecated)
		case a == DropAttribute && !id.OfAttribute():
			return nil, fmt.Errorf("%s: there is no attribute to drop", name)
		}
		e[id] = Action(i)
	}
	if e == (Enforcement{}) {
		return nil, nil
	}
	return &e, nil
}

// act is what is to be done to an attribute, once all of its map were looked at:
// a map must not change under who reads it.
type act struct {
	id      finding.ID
	key, to string // without to it goes
}

// plan notes what is to be done about a finding.
func (c *Checker) plan(id finding.ID, level finding.Level, key string, a *attribute) {
	switch c.enforce[id] {
	case Annotate:
		c.marks |= 1 << id
	case DropItem:
		if level == finding.Violation {
			c.drop = id
		} else {
			c.Skipped[DropItem][id]++
		}
	case Rename:
		to := ""
		if key != "" && !a.def.Template {
			to = a.def.Deprecated.Successor(kindName(c.kind))
		}
		if to == "" { // a metric or an event; or there is no one successor
			c.Skipped[Rename][id]++
			return
		}
		c.acts = append(c.acts, act{id, key, to})
	case DropAttribute:
		// Without an attribute two series would be one, and its points wrong.
		if key == "" || c.points {
			c.Skipped[DropAttribute][id]++
			return
		}
		c.acts = append(c.acts, act{id, key, ""})
	}
}

// act does to the attributes what was planned.
func (c *Checker) act(m pcommon.Map) {
	for _, a := range c.acts {
		if a.to == "" {
			if m.Remove(a.key) {
				c.Done[DropAttribute][a.id]++
			}
			continue
		}
		if _, there := m.Get(a.to); there {
			c.Skipped[Rename][a.id]++
			continue
		}
		if _, there := m.Get(a.key); !there {
			continue // dropped for another reason
		}
		next := m.PutEmpty(a.to)
		old, _ := m.Get(a.key) // anew: the put may have moved it
		old.MoveTo(next)
		m.Remove(a.key)
		c.Done[Rename][a.id]++
	}
	c.acts = c.acts[:0]
}

// annotate writes the ids of the item's findings where they are to be.
func (c *Checker) annotate(m pcommon.Map) {
	if c.marks == 0 {
		return
	}
	list := m.PutEmptySlice(semconv.SemconvViolation)
	for id := finding.None + 1; id < finding.IDs; id++ {
		if c.marks&(1<<id) != 0 {
			list.AppendEmpty().SetStr(id.String())
			c.Done[Annotate][id]++
		}
	}
	c.marks = 0
}

// unmarked counts what could not be annotated: an attribute more would make
// another series of it.
func (c *Checker) unmarked() {
	for id := finding.None + 1; id < finding.IDs; id++ {
		if c.marks&(1<<id) != 0 {
			c.Skipped[Annotate][id]++
		}
	}
	c.marks = 0
}
