// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/wake"
)

// Table is a [Directory] without a registry: for tests, and for services whose
// instances are known from elsewhere. The zero value is empty and ready to use; reads take
// no lock.
type Table struct {
	services atomic.Pointer[map[string][]Member]
	updates  wake.Set
}

// Static returns a table of instances.
func Static(instances ...Instance) (*Table, error) {
	t := &Table{}
	return t, t.Set(instances...)
}

// Set replaces all instances. It returns [*coord.NameError] or [*InstanceError]
// and then changes nothing.
func (t *Table) Set(instances ...Instance) error {
	services := make(map[string][]Member)
	for _, in := range instances {
		if err := in.check(); err != nil {
			return err
		}
		services[in.Service] = append(services[in.Service], Member{Instance: in})
	}
	for _, members := range services {
		slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	}
	t.services.Store(&services)
	t.updates.Notify()
	return nil
}

// Members returns the instances of a service in the order of their ids.
func (t *Table) Members(service string) []Member {
	if services := t.services.Load(); services != nil {
		return (*services)[service]
	}
	return nil
}

// Updates returns a channel that is sent to at once and after [Table.Set], and closed
// when the context or the table ends.
func (t *Table) Updates(ctx context.Context) <-chan struct{} { return t.updates.Add(ctx, wake.Always) }

// Services returns the names of the services that have instances, in order.
func (t *Table) Services() []string {
	if services := t.services.Load(); services != nil {
		return slices.Sorted(maps.Keys(*services))
	}
	return nil
}

// Age returns 0: a table is always current.
func (t *Table) Age() time.Duration { return 0 }

// Close ends the channels of [Table.Updates].
func (t *Table) Close() error {
	t.updates.Close()
	return nil
}

// WaitReady returns nil: a table is always loaded.
func (t *Table) WaitReady(context.Context) error { return nil }
