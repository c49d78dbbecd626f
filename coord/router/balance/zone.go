// SPDX-License-Identifier: Apache-2.0

package balance

// zones splits the rotation by whether an instance is in the caller's zone, and returns
// which part of the requests stays there. That is all, as long as the zone's instances are
// no smaller a part of the rotation than its callers are of all: else each of them would get
// more than instances elsewhere, and what is over goes there (Envoy's zone aware routing).
func zones(nodes []*Node, weights []float64, zone string, callers float64, numbers int) (here, elsewhere *Candidates, stays float64) {
	var in, out []*Node
	var inWeights, outWeights []float64
	sum, all := 0.0, 0.0
	names := make(map[string]bool)
	for i, n := range nodes {
		z := n.member.Load().Zone
		names[z] = true
		all += weights[i]
		if z == zone {
			in, inWeights = append(in, n), append(inWeights, weights[i])
			sum += weights[i]
		} else {
			out, outWeights = append(out, n), append(outWeights, weights[i])
		}
	}
	if len(in) == 0 || len(out) == 0 {
		return nil, nil, 0
	}
	if callers <= 0 {
		callers = 1 / float64(len(names))
	}
	return newCandidates(in, inWeights, numbers), newCandidates(out, outWeights, numbers), min(1, sum/all/callers)
}
