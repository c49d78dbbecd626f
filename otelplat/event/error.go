// SPDX-License-Identifier: Apache-2.0

package event

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoPublisher is returned by [Publish] while no publisher is set.
	ErrNoPublisher = errors.New("event: no publisher: set OTELPLAT_EVENTS_ENDPOINT for otelplat.Start, or call event.SetPublisher")

	// ErrUncertain is returned for an event that may or may not be stored: no answer
	// came in time. To publish it again, with the same ID, is safe.
	ErrUncertain = errors.New("event: the event may be stored")

	// ErrClosed is returned after Close.
	ErrClosed = errors.New("event: closed")
)

// Error says which field of an event or of a subscription cannot be used.
type Error struct {
	Field  string
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("event: %s %s", e.Field, e.Reason) }

func invalid(field, format string, args ...any) error {
	return &Error{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// terminal is an error after which an event is not tried again.
type terminal struct{ err error }

func (t *terminal) Error() string { return t.err.Error() }
func (t *terminal) Unwrap() error { return t.err }

// Terminate makes a handler's error final: the event goes to the dead letters, with
// the error as the reason. Terminate(nil) is nil.
func Terminate(err error) error {
	if err == nil {
		return nil
	}
	return &terminal{err}
}

// delayed is an error after which an event is tried again after a time.
type delayed struct {
	err   error
	after time.Duration
}

func (d *delayed) Error() string { return d.err.Error() }
func (d *delayed) Unwrap() error { return d.err }

// RetryAfter makes a handler's error say when the event is to be tried again.
// RetryAfter(nil, …) is nil.
func RetryAfter(err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	return &delayed{err, max(after, 0)}
}
