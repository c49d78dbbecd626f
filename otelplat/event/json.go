// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"mime"
	"strings"
	"time"
)

// MarshalJSON writes the event in the JSON format of CloudEvents: data that is JSON
// by its content type, or has none and is JSON, as it is; other data as data_base64.
func (e Event) MarshalJSON() ([]byte, error) {
	o := map[string]any{"specversion": SpecVersion, "id": e.ID, "source": e.Source, "type": e.Type}
	for name, value := range map[string]string{
		"subject": e.Subject, "datacontenttype": e.DataContentType, "dataschema": e.DataSchema,
	} {
		if value != "" {
			o[name] = value
		}
	}
	if !e.Time.IsZero() {
		o["time"] = e.Time.UTC().Format(time.RFC3339Nano)
	}
	for name, value := range e.Extensions {
		o[name] = value
	}
	switch {
	case len(e.Data) == 0:
	case isJSON(e.DataContentType) && json.Valid(e.Data):
		o["data"] = json.RawMessage(e.Data)
	default:
		o["data_base64"] = e.Data
	}
	return json.Marshal(o)
}

// UnmarshalJSON reads the JSON format of CloudEvents 1.0. Attributes that the format
// does not name are extensions; numbers and booleans among them become their text. It
// returns an [*Error] that names the attribute. [Event.Check] tells whether the event
// can be published.
func (e *Event) UnmarshalJSON(text []byte) error {
	var attributes map[string]json.RawMessage
	if err := json.Unmarshal(text, &attributes); err != nil {
		return invalid("event", "is not a JSON object: %v", err)
	}
	var read Event
	var version, at string
	for name, to := range map[string]*string{
		"specversion": &version, "id": &read.ID, "source": &read.Source, "type": &read.Type, "subject": &read.Subject,
		"datacontenttype": &read.DataContentType, "dataschema": &read.DataSchema, "time": &at,
	} {
		if err := take(attributes, name, to); err != nil {
			return err
		}
	}
	if version != SpecVersion {
		return invalid("specversion", "is %q, this program reads %q", version, SpecVersion)
	}
	if at != "" {
		var err error
		if read.Time, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return invalid("time", "is not a time of RFC 3339")
		}
	}
	if err := take(attributes, "data_base64", &read.Data); err != nil {
		return err
	}
	if data, there := attributes["data"]; there {
		if read.Data != nil {
			return invalid("data", "is there, and data_base64 too")
		}
		delete(attributes, "data")
		read.Data = data
		// A string under a content type that is not JSON is the data itself.
		if !isJSON(read.DataContentType) {
			var plain string
			if err := json.Unmarshal(data, &plain); err == nil {
				read.Data = []byte(plain)
			}
		}
	}
	for name, value := range attributes {
		text, err := extension(name, value)
		if err != nil {
			return err
		}
		if read.Extensions == nil {
			read.Extensions = make(map[string]string, len(attributes))
		}
		read.Extensions[name] = text
	}
	*e = read
	return nil
}

// take moves an attribute to where it belongs. One that is null is as one that is not
// there.
func take[T any](attributes map[string]json.RawMessage, name string, to *T) error {
	value, there := attributes[name]
	if !there {
		return nil
	}
	delete(attributes, name)
	if err := json.Unmarshal(value, to); err != nil {
		return invalid(name, "has the wrong type: it is %.20s", value)
	}
	return nil
}

// extension is the text of an extension attribute.
func extension(name string, value json.RawMessage) (string, error) {
	var text string
	switch value[0] {
	case '"':
		if err := json.Unmarshal(value, &text); err != nil {
			return "", invalid("extension "+name, "is not a string: %v", err)
		}
		return text, nil
	case '{', '[', 'n':
		return "", invalid("extension "+name, "is neither a string nor a number nor a boolean")
	}
	return string(value), nil
}

// isJSON reports whether a content type is JSON, which is also what none means.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}
