// SPDX-License-Identifier: Apache-2.0

package router

// KnowsLatency reports whether a router has seen enough of a service to hedge its requests.
func KnowsLatency(r *Router, service string, quantile float64) bool {
	s := (*r.services.Load())[service]
	return s != nil && s.late(quantile) > 0
}
