// SPDX-License-Identifier: Apache-2.0

//go:build unix

package otelplat

import (
	"syscall"
	"time"
)

// processCPUTime returns what this process used, and whether the system tells.
func processCPUTime() (cpuTime, bool) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return cpuTime{}, false
	}
	return cpuTime{time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())}, true
}
