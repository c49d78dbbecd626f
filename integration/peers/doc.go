// SPDX-License-Identifier: Apache-2.0

// Package peers compares the platform with what else one would use: the same work, in one
// process, against one server, ours and the peer's in turns. It has benchmarks only, which
// print ratios and never fail for a time; `make bench-peers` runs them.
package peers
