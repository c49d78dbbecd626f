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

// isJSON reports whether a content type is JSON, which is also what none means.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}
