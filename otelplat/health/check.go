// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"time"
)

// Defaults and limits of checks.
const (
	DefaultInterval  = 10 * time.Second
	DefaultTimeout   = 2 * time.Second
	DefaultThreshold = 3

	MaxChecks    = 1000
	MaxName      = 128 // bytes
	minInterval  = 100 * time.Millisecond
	maxInterval  = time.Hour
	maxThreshold = 100

	// maxText bounds the text of an error, in bytes.
	maxText = 1024
)

// Check returns nil when what it looks at works. Its context ends after the
// timeout. A panic is an error.
type Check func(ctx context.Context) error

// Severity is what the failure of a check means.
type Severity string

// The severities.
const (
	Critical Severity = "critical" // the service does not work: it leaves the rotation
	Degraded Severity = "degraded" // it works, and somebody should look
)

// settings are those of one check.
type settings struct {
	interval, timeout time.Duration
	threshold         int
	severity          Severity
}

// CheckOption configures a check.
type CheckOption func(*settings)

// WithInterval sets how often the check runs (10 s; 100 ms to 1 h).
func WithInterval(d time.Duration) CheckOption { return func(s *settings) { s.interval = d } }

// WithTimeout sets how long one run may take (2 s).
func WithTimeout(d time.Duration) CheckOption { return func(s *settings) { s.timeout = d } }

// WithThreshold sets how many failures in a row count (3).
func WithThreshold(n int) CheckOption { return func(s *settings) { s.threshold = n } }

// WithSeverity sets what a failure means ([Critical]).
func WithSeverity(v Severity) CheckOption { return func(s *settings) { s.severity = v } }

// Error says which field of a check cannot be used.
type Error struct {
	Field  string
	Reason string
}

func (e *Error) Error() string { return "health: " + e.Field + " " + e.Reason }

func invalid(field, format string, args ...any) error {
	return &Error{field, fmt.Sprintf(format, args...)}
}

func (s *settings) check() error {
	switch {
	case s.interval < minInterval || s.interval > maxInterval:
		return invalid("interval", "is %v, want %v to %v", s.interval, minInterval, maxInterval)
	case s.timeout <= 0 || s.timeout > maxInterval:
		return invalid("timeout", "is %v, want at most %v", s.timeout, maxInterval)
	case s.threshold < 1 || s.threshold > maxThreshold:
		return invalid("threshold", "is %d, want 1 to %d", s.threshold, maxThreshold)
	case s.severity != Critical && s.severity != Degraded:
		return invalid("severity", "is %q, want %s or %s", s.severity, Critical, Degraded)
	}
	return nil
}

func checkName(name string) error {
	if name == "" || len(name) > MaxName {
		return invalid("name", "has %d bytes, want 1 to %d", len(name), MaxName)
	}
	for _, r := range name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
		default:
			return invalid("name", "holds %q: letters, digits, dots, underscores and hyphens are allowed", r)
		}
	}
	return nil
}

// Age is a check that fails while what a mirror holds is older than a limit: as
// policy.Engine's, configsrc.Live's and discovery.Directory's Age tell.
func Age(age func() time.Duration, limit time.Duration) Check {
	return func(context.Context) error {
		if a := age(); a > limit {
			return fmt.Errorf("the newest is %v old, more than %v", a.Round(time.Second), limit)
		}
		return nil
	}
}
