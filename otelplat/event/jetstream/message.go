// SPDX-License-Identifier: Apache-2.0

package jetstream

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/otelplat/platform/otelplat/event"
)

const (
	eventsRoot = "events."
	deadRoot   = "dead."

	attributePrefix = "ce-"
)

// token writes a text as one token of a subject.
func token(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// messageID is by what JetStream knows an event again.
func messageID(e *event.Event) string {
	sum := sha256.Sum256([]byte(e.Source + "\x00" + e.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// encode returns the message of a complete event.
func encode(namespace, service string, e *event.Event) *nats.Msg {
	m := nats.NewMsg(eventsRoot + token(namespace) + "." + token(service) + "." + e.Type)
	m.Data = e.Data
	for name, value := range map[string]string{
		"id": e.ID, "source": e.Source, "specversion": event.SpecVersion, "type": e.Type, "subject": e.Subject,
		"time": e.Time.UTC().Format(time.RFC3339Nano), "datacontenttype": e.DataContentType, "dataschema": e.DataSchema,
	} {
		if value != "" {
			m.Header[attributePrefix+name] = []string{percent(value)}
		}
	}
	for name, value := range e.Extensions {
		m.Header[attributePrefix+name] = []string{percent(value)}
	}
	m.Header[nats.MsgIdHdr] = []string{messageID(e)}
	return m
}

// decode returns the event of a message and the service that published it. Whatever
// is no CloudEvent is an error: others may write to the stream.
func decode(subject string, header nats.Header, data []byte) (e event.Event, service string, err error) {
	tokens := strings.SplitN(subject, ".", 4)
	if len(tokens) != 4 || tokens[0]+"." != eventsRoot {
		return e, "", fmt.Errorf("the subject %q is none of an event", subject)
	}
	if service, err = url.PathUnescape(tokens[2]); err != nil {
		return e, "", fmt.Errorf("the subject %q is none of an event: %w", subject, err)
	}
	e.Data = data
	for key, values := range header {
		name, ours := strings.CutPrefix(key, attributePrefix)
		if !ours || len(values) == 0 {
			continue
		}
		value, err := url.PathUnescape(values[0])
		if err != nil {
			return e, service, fmt.Errorf("header %s: %w", key, err)
		}
		switch name {
		case "id":
			e.ID = value
		case "source":
			e.Source = value
		case "type":
			e.Type = value
		case "subject":
			e.Subject = value
		case "datacontenttype":
			e.DataContentType = value
		case "dataschema":
			e.DataSchema = value
		case "time":
			if e.Time, err = time.Parse(time.RFC3339Nano, value); err != nil {
				return e, service, fmt.Errorf("header %s: %w", key, err)
			}
		case "specversion":
			if value != event.SpecVersion {
				return e, service, fmt.Errorf("version %q of CloudEvents, want %s", value, event.SpecVersion)
			}
		default:
			if e.Extensions == nil {
				e.Extensions = make(map[string]string)
			}
			e.Extensions[name] = value
		}
	}
	if header == nil {
		return e, service, errors.New("a message without headers is no event")
	}
	return e, service, e.Check()
}

// percent encodes a header's value as the HTTP binding of CloudEvents does: space,
// quote, percent, and what is not printable ASCII.
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
