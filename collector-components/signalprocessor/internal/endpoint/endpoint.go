// SPDX-License-Identifier: Apache-2.0

// Package endpoint knows which instance serves at an address: what the directory of
// discovery announces, the other way round. Standard telemetry names whom it called by
// address only. An [Index] is immutable; a look-up takes no lock and allocates nothing.
package endpoint

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/otelplat/platform/coord/discovery"
)

// Instance is an instance that is announced.
type Instance struct {
	Service, ID, Variant, Zone string
	Number                     uint32 // of all that the index has: for tables
}

// Directory is what an index is made of.
type Directory interface {
	Services() []string
	Members(service string) []discovery.Member
}

// Index answers by address and by name. The zero value, and nil, know nobody.
type Index struct {
	byAddress map[address]*place
	byName    map[string]map[string]*Instance
}

type address struct {
	host string
	port int64
}

// place is who serves at an address; others are there when several say so.
type place struct {
	instance    *Instance
	unconfirmed bool
	others      []*Instance
}

// New returns the index of a directory as it is now.
func New(d Directory) *Index {
	x := &Index{byAddress: make(map[address]*place), byName: make(map[string]map[string]*Instance)}
	number := uint32(0)
	for _, service := range d.Services() {
		members := d.Members(service)
		names := make(map[string]*Instance, len(members))
		for i := range members {
			m := &members[i]
			in := &Instance{Service: service, ID: m.ID, Variant: m.Variant(), Zone: m.Zone, Number: number}
			number++
			names[m.ID] = in
			for _, e := range m.Endpoints {
				if e.Protocol == discovery.HTTP || e.Protocol == discovery.GRPC {
					x.add(e.Address, in, m.Unconfirmed)
				}
			}
		}
		x.byName[service] = names
	}
	return x
}

// maxHost bounds a host in bytes: DNS has 253, an IPv6 address with a zone less.
const maxHost = 256

// canonicalHost appends the one form of a host that the index has: names in lower case, and
// of the forms of an IPv6 address the shortest, or IPv4 where that is what it holds. IPv4
// has one form only.
func canonicalHost(buf []byte, host string) []byte {
	if strings.IndexByte(host, ':') >= 0 {
		if ip, err := netip.ParseAddr(host); err == nil {
			return ip.Unmap().AppendTo(buf)
		}
	}
	for i := range len(host) {
		c := host[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf = append(buf, c)
	}
	return buf
}

// inOtherForm returns who serves at an address that is not written as in the index.
func (x *Index) inOtherForm(host string, port int64) *place {
	if len(host) > maxHost {
		return nil
	}
	var canonical [maxHost]byte
	return x.byAddress[address{string(canonicalHost(canonical[:0], host)), port}]
}

func (x *Index) add(hostport string, in *Instance, unconfirmed bool) {
	host, text, err := net.SplitHostPort(hostport)
	if err != nil {
		return
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return
	}
	var canonical [maxHost]byte
	if len(host) > maxHost {
		return
	}
	a := address{string(canonicalHost(canonical[:0], host)), int64(port)}
	p := x.byAddress[a]
	switch {
	case p == nil || p.unconfirmed && !unconfirmed:
		x.byAddress[a] = &place{instance: in, unconfirmed: unconfirmed} // who vanished has given way
	case p.instance != in && p.unconfirmed == unconfirmed:
		p.others = append(p.others, in)
	}
}

// At returns who serves at an address. Where several instances say that they do, service
// decides between them, the name of the callee as the caller knows it; if it cannot, the
// answer is nil.
func (x *Index) At(host string, port int64, service string) *Instance {
	if x == nil {
		return nil
	}
	p := x.byAddress[address{host, port}]
	if p == nil {
		p = x.inOtherForm(host, port)
	}
	switch {
	case p == nil:
		return nil
	case len(p.others) == 0:
		return p.instance
	}
	var found *Instance
	if p.instance.Service == service {
		found = p.instance
	}
	for _, in := range p.others {
		if in.Service == service {
			if found != nil {
				return nil
			}
			found = in
		}
	}
	return found
}

// Named returns an instance by its service and id, nil when it is not announced.
func (x *Index) Named(service, id string) *Instance {
	if x == nil {
		return nil
	}
	return x.byName[service][id]
}

// Announces reports whether a service has instances.
func (x *Index) Announces(service string) bool { return x != nil && len(x.byName[service]) > 0 }

// Empty reports whether nobody is announced.
func (x *Index) Empty() bool { return x == nil || len(x.byName) == 0 }
