// SPDX-License-Identifier: Apache-2.0

package event

import (
	"context"
	"io"
	"strings"
	"time"
)

// Bus keeps events and hands them to subscribers. Implementations run the suite
// eventtest.Bus. All methods are safe for concurrent use.
type Bus interface {
	Publisher

	// Subscribe hands events to a handler until the context ends or the returned
	// value is closed; Close waits for the handlers that end. It returns an [*Error]
	// for a subscription that cannot be made. It does not wait for the bus to be
	// reachable.
	Subscribe(ctx context.Context, s Subscription, h Handler) (io.Closer, error)

	// DeadLetters returns the newest dead letters of a subscription, the newest
	// first, at most limit of them and at most 1000.
	DeadLetters(ctx context.Context, subscription string, limit int) ([]DeadLetter, error)

	// Close ends all subscriptions. It is idempotent.
	Close() error
}

// MaxDeadLetters is how many dead letters one call returns.
const MaxDeadLetters = 1000

// DeadLetter is an event that a subscription gave up.
type DeadLetter struct {
	Event
	Service  string
	Attempts int
	Reason   string
	Sequence uint64 // of the event in its stream, not of the letter
	Buried   time.Time
}

// Handler handles one event. Its context ends with the subscription, and after the
// subscription's Timeout, and carries the trace of whoever published. The package
// documentation says what an error does.
type Handler func(ctx context.Context, d Delivery) error

// Delivery is an event on its way to a handler.
type Delivery struct {
	Event
	Service  string    // of the publisher, as the collector verified it
	Attempt  int       // 1 for the first
	Sequence uint64    // of the event in its stream
	Stored   time.Time // when the bus took it
}

// CheckDeadLetters returns an [*Error] unless [Bus] can be asked so. A bus calls it.
func CheckDeadLetters(subscription string, limit int) error {
	if limit < 1 || limit > MaxDeadLetters {
		return invalid("limit", "is %d, want 1 to %d", limit, MaxDeadLetters)
	}
	return checkName(subscription)
}

func checkName(subscription string) error {
	if subscription == "" {
		return invalid("subscription's name", "is empty")
	}
	if len(subscription) > MaxType {
		return invalid("subscription's name", "has %d bytes, more than %d", len(subscription), MaxType)
	}
	for _, r := range subscription {
		if !isWord(r) {
			return invalid("subscription's name", "holds %q: letters, digits, underscores and hyphens are allowed", r)
		}
	}
	return nil
}

// Defaults and limits of subscriptions.
const (
	DefaultTimeout     = 30 * time.Second
	DefaultMaxAttempts = 5
	DefaultRetryDelay  = time.Second // the first; it doubles each time
	MaxRetryDelay      = 30 * time.Second
	MaxConcurrency     = 256
	maxAttempts        = 1000
	maxTimeout         = time.Hour
)

// Subscription says who wants which events.
type Subscription struct {
	// Name is that of the durable position: letters, digits, underscores and
	// hyphens. Subscriptions of one name share the events, in any number of
	// processes; what happens while none of them runs waits. With Ephemeral it is
	// only for people, and may be left out.
	Name string

	// Types are those wanted, all without any. One that ends in ".*" wants all that
	// begin with what stands before the star.
	Types []string

	// Service wants the events of one publisher only.
	Service string

	// All begins a new subscription with the oldest event that is kept; otherwise it
	// begins with the next one.
	All bool

	// Ephemeral subscriptions end with their process, and share with nobody.
	Ephemeral bool

	Concurrency int           // workers; 1 by default
	Timeout     time.Duration // of one attempt; 30 s by default
	MaxAttempts int           // 5 by default
	RetryDelay  time.Duration // before the second attempt; 1 s by default
}

// Complete returns the subscription with its defaults, or an [*Error]. A bus calls
// it.
func (s Subscription) Complete() (Subscription, error) {
	if s.Concurrency == 0 {
		s.Concurrency = 1
	}
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if s.MaxAttempts == 0 {
		s.MaxAttempts = DefaultMaxAttempts
	}
	if s.RetryDelay == 0 {
		s.RetryDelay = DefaultRetryDelay
	}
	if s.Name != "" || !s.Ephemeral {
		if err := checkName(s.Name); err != nil {
			return s, err
		}
	}
	switch {
	case s.Concurrency < 0 || s.Concurrency > MaxConcurrency:
		return s, invalid("subscription's concurrency", "is %d, want 1 to %d", s.Concurrency, MaxConcurrency)
	case s.Timeout < 0 || s.Timeout > maxTimeout:
		return s, invalid("subscription's timeout", "is %v, want at most %v", s.Timeout, maxTimeout)
	case s.MaxAttempts < 0 || s.MaxAttempts > maxAttempts:
		return s, invalid("subscription's attempts", "are %d, want 1 to %d", s.MaxAttempts, maxAttempts)
	case s.RetryDelay < 0 || s.RetryDelay > MaxRetryDelay:
		return s, invalid("subscription's retry delay", "is %v, want at most %v", s.RetryDelay, MaxRetryDelay)
	case len(s.Types) > maxTypes:
		return s, invalid("subscription's types", "are %d, more than %d", len(s.Types), maxTypes)
	}
	for _, t := range s.Types {
		if err := CheckType(strings.TrimSuffix(t, ".*")); err != nil {
			return s, invalid("subscription's types", "hold %q: %v", t, err)
		}
	}
	return s, checkText("subscription's service", s.Service, MaxText)
}

// maxTypes bounds the filters of one subscription.
const maxTypes = 64

// Wants reports whether the subscription asks for an event.
func (s *Subscription) Wants(service, eventType string) bool {
	if s.Service != "" && s.Service != service {
		return false
	}
	if len(s.Types) == 0 {
		return true
	}
	for _, t := range s.Types {
		if prefix, all := strings.CutSuffix(t, "*"); t == eventType || all && strings.HasPrefix(eventType, prefix) {
			return true
		}
	}
	return false
}
