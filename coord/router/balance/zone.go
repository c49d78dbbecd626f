// SPDX-License-Identifier: Apache-2.0

package balance

// part is some of the instances in rotation, with their weights.
type part struct {
	nodes   []*Node
	weights []float64
}

// zones splits the rotation by whether an instance is in the caller's zone, and returns
// which part of the requests stays there. That is all, as long as the zone's instances are
// no smaller a part of the rotation than its callers are of all: else each of them would get
// more than instances elsewhere, and what is over goes there (Envoy's zone aware routing).
func zones(nodes []*Node, weights []float64, zone string, callers float64) (here, elsewhere part, stays float64) {
	sum, all := 0.0, 0.0
	names := make(map[string]bool)
	for i, n := range nodes {
		z := n.member.Load().Zone
		names[z] = true
		all += weights[i]
		to := &elsewhere
		if z == zone {
			to = &here
			sum += weights[i]
		}
		to.nodes, to.weights = append(to.nodes, n), append(to.weights, weights[i])
	}
	if callers <= 0 {
		callers = 1 / float64(len(names))
	}
	return here, elsewhere, min(1, sum/all/callers)
}
