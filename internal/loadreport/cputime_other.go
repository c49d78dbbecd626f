// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package loadreport

// ProcessCPUTime is not read here; the instance has no service demand then.
func ProcessCPUTime() (CPUTime, bool) { return CPUTime{}, false }
