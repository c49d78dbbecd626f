// SPDX-License-Identifier: Apache-2.0

package event

import (
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// SpecVersion is the version of CloudEvents that events are written in.
const SpecVersion = "1.0"

// Limits of an event. A message of NATS has at most 1 MiB, with its headers.
const (
	MaxData       = 512 << 10 // bytes of the data
	MaxText       = 256       // bytes of id, source, subject, content type and schema
	MaxType       = 128       // bytes of the type
	MaxExtensions = 16        // extensions of one event
	MaxExtension  = 1024      // bytes of an extension's value
	maxName       = 20        // bytes of an extension's name, CloudEvents' own limit
)

// Event is a CloudEvent. Source and ID together are unique: an event with the
// same two is the same event.
type Event struct {
	// ID is made up when it is empty.
	ID string

	// Source is where it happened, a URI reference; the publisher's service by
	// default, as "/<service>".
	Source string

	// Type is what happened: names of ASCII letters, digits, underscores and
	// hyphens, separated by dots, as "shop.order.placed". It is the name of the
	// log record's event.
	Type string

	// Subject is what it happened to, as an order's id. Optional.
	Subject string

	// Time is when it happened; now by default.
	Time time.Time

	// DataContentType is a media type, DataSchema a URI. Both are optional.
	DataContentType string
	DataSchema      string

	// Data is kept as it is, byte for byte.
	Data []byte

	// Extensions are CloudEvents' extension attributes: names of lower-case
	// letters and digits. The publisher sets traceparent and tracestate.
	Extensions map[string]string
}

// PartitionKey is the extension whose value is an event's key: events with the
// same key are handled one after the other.
const PartitionKey = "partitionkey"

// Key returns what an event is ordered by: the extension partitionkey, else the
// subject, else the id.
func (e *Event) Key() string {
	if k := e.Extensions[PartitionKey]; k != "" {
		return k
	}
	if e.Subject != "" {
		return e.Subject
	}
	return e.ID
}

// NewID returns a random id of 130 bits.
func NewID() string { return rand.Text() }

// Complete returns the event with what was left out: an id, the source, the time.
// A publisher calls it.
func (e Event) Complete(service string) Event {
	if e.ID == "" {
		e.ID = NewID()
	}
	if e.Source == "" {
		e.Source = "/" + service
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	return e
}

// clone copies what the publisher may change later.
func (e Event) clone() Event {
	e.Data, e.Extensions = slices.Clone(e.Data), maps.Clone(e.Extensions)
	return e
}

// Check returns an [*Error] that names the first field that cannot be used. A
// complete event has an ID and a Source.
func (e *Event) Check() error {
	for _, f := range []struct {
		name, value string
		required    bool
	}{
		{"id", e.ID, true}, {"source", e.Source, true}, {"subject", e.Subject, false},
		{"datacontenttype", e.DataContentType, false}, {"dataschema", e.DataSchema, false},
	} {
		if f.value == "" && f.required {
			return invalid(f.name, "is empty")
		}
		if err := checkText(f.name, f.value, MaxText); err != nil {
			return err
		}
	}
	if err := CheckType(e.Type); err != nil {
		return err
	}
	if len(e.Data) > MaxData {
		return invalid("data", "has %d bytes, more than %d", len(e.Data), MaxData)
	}
	if len(e.Extensions) > MaxExtensions {
		return invalid("extensions", "are %d, more than %d", len(e.Extensions), MaxExtensions)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		if err := checkExtension(name); err != nil {
			return err
		}
		if err := checkText("extension "+name, e.Extensions[name], MaxExtension); err != nil {
			return err
		}
	}
	return nil
}

// CheckType returns an [*Error] unless t is an event's type.
func CheckType(t string) error {
	switch {
	case t == "":
		return invalid("type", "is empty")
	case len(t) > MaxType:
		return invalid("type", "has %d bytes, more than %d", len(t), MaxType)
	}
	for token := range strings.SplitSeq(t, ".") {
		if token == "" {
			return invalid("type", "has an empty name between dots")
		}
		for _, r := range token {
			if !isWord(r) {
				return invalid("type", "holds %q: letters, digits, underscores, hyphens and dots are allowed", r)
			}
		}
	}
	return nil
}

func isWord(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-'
}

// contextAttributes are those that CloudEvents itself defines: no extension may
// have their name.
var contextAttributes = []string{"id", "source", "specversion", "type", "subject", "time", "datacontenttype", "dataschema", "data"}

func checkExtension(name string) error {
	switch {
	case name == "" || len(name) > maxName:
		return invalid("extensions", "have a name of %d bytes, want 1 to %d", len(name), maxName)
	case slices.Contains(contextAttributes, name):
		return invalid("extensions", "hold %q, which is an attribute of the event itself", name)
	}
	for _, r := range name {
		if ('a' > r || r > 'z') && ('0' > r || r > '9') {
			return invalid("extensions", "hold the name %q: lower-case letters and digits are allowed", name)
		}
	}
	return nil
}

func checkText(field, s string, limit int) error {
	if len(s) > limit {
		return invalid(field, "has %d bytes, more than %d", len(s), limit)
	}
	if !utf8.ValidString(s) {
		return invalid(field, "is not UTF-8")
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return invalid(field, "holds the control character %q", r)
		}
	}
	return nil
}
