// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"unsafe"

	"github.com/otelplat/platform/coord/discovery"
)

// Source is what a snapshot is built of.
type Source struct {
	// Document is nil while it was not read; Required says that there is to be one, and
	// that it alone says which services are known. Else those are that have instances.
	Document *Document
	Required bool

	// Directory knows the instances; nil where there is none.
	Directory Directory

	// Listed says that the directory was loaded.
	Listed bool
}

// Directory is the part of discovery.Directory that is read here.
type Directory interface {
	Services() []string
	Members(service string) []discovery.Member
}

// Snapshot is what is known at one time. It is immutable.
type Snapshot struct {
	// Loaded says that it is known which services there are.
	Loaded bool

	services map[string]*Service
}

// Service is what is known of one. It is immutable.
type Service struct {
	Entry
	Known bool

	members []discovery.Member // in the order of their ids
	common  discovery.Instance // the version and the zone that all of them have
}

// Build makes a snapshot. Services whose instances are as they were in the last one (nil
// for none) are not looked at again: a directory shares the lists of those.
func Build(last *Snapshot, s Source) *Snapshot {
	next := &Snapshot{Loaded: s.Listed, services: make(map[string]*Service)}
	if s.Required {
		next.Loaded = s.Document != nil
	}
	if s.Document != nil {
		for name, e := range s.Document.Services {
			next.services[name] = &Service{Entry: e, Known: true}
		}
	}
	if s.Directory == nil {
		return next
	}
	for _, name := range s.Directory.Services() {
		service := next.services[name]
		if service == nil {
			service = &Service{Known: !s.Required}
			next.services[name] = service
		}
		service.members = s.Directory.Members(name)
		if was := last.service(name); was != nil && same(was.members, service.members) {
			service.common = was.common
		} else {
			service.common = common(service.members)
		}
	}
	return next
}

func (s *Snapshot) service(name string) *Service {
	if s == nil {
		return nil
	}
	return s.services[name]
}

func same(a, b []discovery.Member) bool {
	return len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b)
}

// common returns what all instances have in common. Where versions differ, as while one
// is rolled out, telemetry that does not say its instance has none.
func common(members []discovery.Member) discovery.Instance {
	var c discovery.Instance
	for i := range members {
		m := &members[i]
		if i == 0 {
			c.Version, c.Zone = m.Version, m.Zone
		}
		if m.Version != c.Version {
			c.Version = ""
		}
		if m.Zone != c.Zone {
			c.Zone = ""
		}
	}
	return c
}

// Find returns what is known of a service, and of its instance: for "" what all its
// instances have in common. Both are nil where there is nothing. It allocates nothing.
func (s *Snapshot) Find(service, instance string) (*Service, *discovery.Instance) {
	found := s.services[service]
	if found == nil {
		return nil, nil
	}
	if instance == "" {
		return found, &found.common
	}
	low, high := 0, len(found.members)
	for low < high {
		if middle := int(uint(low+high) >> 1); found.members[middle].ID < instance {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(found.members) && found.members[low].ID == instance {
		return found, &found.members[low].Instance
	}
	return found, nil
}

// Len returns how many services there are.
func (s *Snapshot) Len() int { return len(s.services) }
