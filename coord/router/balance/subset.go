// SPDX-License-Identifier: Apache-2.0

package balance

import (
	"cmp"
	"math"
	"slices"

	"github.com/otelplat/platform/internal/stablehash"
)

// headroom is by how much a subset is greater than the caller's part of the traffic asks
// for, so that there is something to choose from.
const headroom = 2.0

// subsetSize returns how many instances a caller should know that makes a part of the
// service's requests: as many as it takes to give each no more than its own part, and room
// to choose (Uber's dynamic subsetting). It grows at once, and shrinks when half would do,
// so that a subset does not follow every wave of traffic.
func subsetSize(instances, least, was int, part float64) int {
	want := min(max(least, int(math.Ceil(headroom*part*float64(instances)))), instances)
	if was = min(was, instances); was > want && 2*want > was {
		return was
	}
	return want
}

// subset returns the instances that a caller knows, by rendezvous hashing: when one comes or
// goes, at most one of the others changes, and when it grows it keeps all that it had.
func subset(nodes []*Node, caller string, size int) []*Node {
	if size >= len(nodes) {
		return nodes
	}
	type scored struct {
		node  *Node
		score uint64
	}
	all := make([]scored, len(nodes))
	for i, n := range nodes {
		all[i] = scored{n, stablehash.Mix(stablehash.Text(caller) ^ stablehash.Text(n.id))}
	}
	slices.SortFunc(all, func(a, b scored) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.node.id, b.node.id)) })
	chosen := make([]*Node, size)
	for i := range chosen {
		chosen[i] = all[i].node
	}
	slices.SortFunc(chosen, func(a, b *Node) int { return cmp.Compare(a.id, b.id) })
	return chosen
}
