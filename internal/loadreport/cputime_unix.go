// SPDX-License-Identifier: Apache-2.0

//go:build unix

package loadreport

import (
	"syscall"
	"time"
)

// ProcessCPUTime returns what this process used, and whether the system tells.
func ProcessCPUTime() (CPUTime, bool) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return CPUTime{}, false
	}
	return CPUTime{time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())}, true
}
