// SPDX-License-Identifier: Apache-2.0

package aggregate

import "github.com/otelplat/platform/collector-components/signalprocessor/internal/endpoint"

// maxUnannouncedOfService is how many instances of a service that announces its instances
// may be told of without being among them: one share's worth, for those that are newer
// than the directory, or older.
const maxUnannouncedOfService = 64

// admission keeps those who tell of instances that do not exist from filling the table.
// What discovery announces is taken up to the table's limit. Of the rest one principal may
// add so many, and a service that announces its instances has few; and where anything is
// announced at all, the rest together may fill one half.
type admission struct {
	directory   *endpoint.Index
	max         int            // for each principal; 0: no limit
	of          map[uint64]int // how many each principal added
	unannounced int
}

func (a *admission) announced(t Target) *endpoint.Instance {
	return a.directory.Named(t.Service, t.Instance)
}

// LimitUnannounced sets how many instances that discovery does not announce one principal
// may tell of. Without it there is no limit.
func (a *Aggregate) LimitUnannounced(n int) { a.admission.max = n }

// admits reports whether a principal may add an instance that is not announced.
func (a *Aggregate) admits(by uint64, s *service, name string) bool {
	d := &a.admission
	switch {
	case d.max == 0:
		return true
	case d.of[by] >= d.max:
		return false
	case s != nil && s.unannounced >= maxUnannouncedOfService && d.directory.Announces(name):
		return false
	case !d.directory.Empty() && 2*d.unannounced >= a.maxInstances:
		return false
	}
	return true
}

// Announce takes in what discovery announces now: variants and zones come from it.
func (a *Aggregate) Announce(directory *endpoint.Index) {
	clear(a.memo[:])
	a.admission.directory = directory
	for _, s := range a.services {
		for id, in := range s.instances {
			a.announce(s, in, directory.Named(s.name, id))
		}
	}
}

// announce notes what discovery says of an instance, nil when it does not know it.
func (a *Aggregate) announce(s *service, in *instance, known *endpoint.Instance) {
	if known != nil {
		in.variant, in.zone = known.Variant, known.Zone
	}
	d := &a.admission
	switch announced := known != nil; {
	case announced == in.announced:
		return
	case announced:
		d.unannounced--
		s.unannounced--
		if d.of[in.by]--; d.of[in.by] == 0 {
			delete(d.of, in.by)
		}
	default:
		d.unannounced++
		s.unannounced++
		d.of[in.by]++
	}
	in.announced = known != nil
}

// forget removes an instance.
func (a *Aggregate) forget(s *service, in *instance) {
	if !in.announced {
		a.announce(s, in, &endpoint.Instance{Variant: in.variant, Zone: in.zone}) // gives back what it took
	}
	delete(s.instances, in.id)
	a.instances--
}
