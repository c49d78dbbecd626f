// SPDX-License-Identifier: Apache-2.0

package routeconnector

import "go.opentelemetry.io/collector/pdata/pcommon"

const (
	// byDefault is the way of what names none.
	byDefault uint8 = 0

	// notKnown stands for the way of a route that there is not. It is none.
	notKnown uint8 = 255

	// maxKept bounds what is kept of a large batch for the next one.
	maxKept = 64 << 10 // items, of a byte each
)

// plan is which way each item of a batch takes, in the batch's order. It is made while
// the attribute is taken out, so that each item is looked at once.
type plan struct {
	attribute string
	keep      bool
	byName    map[string]uint8

	ways    []uint8
	counts  [maxRoutes + 1]int64
	unknown int64

	// The route that was looked up last: those of neighbours are mostly the same.
	name string
	way  uint8
}

// resource returns the way that a resource names for its items.
func (p *plan) resource(attributes pcommon.Map) uint8 {
	way, named := p.take(attributes)
	if !named {
		return byDefault
	}
	return way
}

// item notes the way of an item: that of its own, or else the resource's.
func (p *plan) item(attributes pcommon.Map, resource uint8) {
	way, named := p.take(attributes)
	if !named {
		way = resource
	}
	if way == notKnown {
		p.unknown++
		way = byDefault
	}
	p.ways = append(p.ways, way)
	p.counts[way]++
}

// take returns the way that attributes name, and takes the name out.
func (p *plan) take(attributes pcommon.Map) (way uint8, named bool) {
	v, ok := attributes.Get(p.attribute)
	if !ok {
		return byDefault, false
	}
	way = notKnown
	if v.Type() == pcommon.ValueTypeStr {
		way = p.lookUp(v.Str())
	}
	if !p.keep {
		attributes.Remove(p.attribute)
	}
	return way, true
}

func (p *plan) lookUp(name string) uint8 {
	if p.name != "" && name == p.name {
		return p.way
	}
	way, ok := p.byName[name]
	if !ok {
		way = notKnown
	}
	p.name, p.way = name, way
	return way
}

// only returns the way of all items, if they take one. Nothing takes the default.
func (p *plan) only() (way uint8, ok bool) { return one(p.ways) }

func one(ways []uint8) (way uint8, ok bool) {
	if len(ways) == 0 {
		return byDefault, true
	}
	for _, w := range ways {
		if w != ways[0] {
			return byDefault, false
		}
	}
	return ways[0], true
}
