// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Limits of a document.
const (
	maxServices = 10_000
	maxEntries  = 32  // labels, and links, of a service
	maxText     = 256 // bytes of a name, of a field, of a label's name and value
	maxLink     = 2048
)

// Document says which services there are and who answers for them.
type Document struct {
	Services map[string]Entry `config:"services"`
}

// Entry is what the document says of a service.
type Entry struct {
	Owner string `config:"owner"` // who answers for it
	Team  string `config:"team"`
	Tier  string `config:"tier"` // how much depends on it

	// For people and their tools; telemetry does not carry them.
	Language string            `config:"language"`
	Links    map[string]string `config:"links"`

	Labels map[string]string `config:"labels"`
}

// Validate implements configsrc's check of a document.
func (d *Document) Validate() error {
	if len(d.Services) > maxServices {
		return fmt.Errorf("services are %d, more than %d", len(d.Services), maxServices)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Services)) {
		if name == "" || len(name) > maxText {
			return fmt.Errorf("services: the name %.40q has not 1 to %d bytes", name, maxText)
		}
		e := d.Services[name]
		if err := e.check(); err != nil {
			return fmt.Errorf("services: %s: %w", name, err)
		}
	}
	return nil
}

func (e *Entry) check() error {
	for _, f := range []struct{ name, text string }{{"owner", e.Owner}, {"team", e.Team}, {"tier", e.Tier}, {"language", e.Language}} {
		if len(f.text) > maxText {
			return fmt.Errorf("%s has more than %d bytes", f.name, maxText)
		}
	}
	return errors.Join(bounded("labels", e.Labels, maxText), bounded("links", e.Links, maxLink))
}

func bounded(what string, m map[string]string, limit int) error {
	if len(m) > maxEntries {
		return fmt.Errorf("%s are %d, more than %d", what, len(m), maxEntries)
	}
	for name, value := range m {
		if name == "" || len(name) > maxText || len(value) > limit {
			return fmt.Errorf("%s: %.40q has no name, or more than %d bytes", what, name, limit)
		}
	}
	return nil
}
