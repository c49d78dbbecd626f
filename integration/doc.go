// SPDX-License-Identifier: Apache-2.0

// Package integration tests the platform as a whole: real processes, a real
// etcd, the real collector, real traffic on loopback. It has no code of its own
// that anybody imports.
//
// Its tests build bin/otelplat once and run the platform's parts as separate
// processes, so that each of them can be stopped, killed and started again. They
// end what they start by its process id.
package integration
