// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package otelplat

// processCPUTime is not read here; the instance has no service demand then.
func processCPUTime() (cpuTime, bool) { return cpuTime{}, false }
