// SPDX-License-Identifier: Apache-2.0

package registry

import (
	_ "embed"
	"errors"
	"fmt"
	"sync"

	"github.com/go-viper/mapstructure/v2"
	"go.yaml.in/yaml/v3"
)

// SemconvVersion is the version of OpenTelemetry's semantic conventions that the
// embedded registry follows.
const SemconvVersion = "1.43.0"

// The embedded registry: attributes and metrics as go.opentelemetry.io/otel/semconv
// has them (a test keeps the file fresh), and what that package does not say, by
// hand: spans, events, the resource, and what was deprecated.
var (
	//go:embed attributes.yaml
	attributesYAML []byte
	//go:embed signals.yaml
	signalsYAML []byte
)

// OpenTelemetry returns the documents of the embedded registry, the first first.
var OpenTelemetry = sync.OnceValues(func() ([]*Document, error) {
	var docs []*Document
	for _, text := range [][]byte{attributesYAML, signalsYAML} {
		d, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("the embedded registry: %w", err)
		}
		docs = append(docs, d)
	}
	return docs, nil
})

// Parse returns the document that a text holds, as package configsrc does, which
// reads the documents of users: an unknown field is an error.
func Parse(text []byte) (d *Document, err error) {
	var fields map[string]any
	if err := yaml.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	d = new(Document)
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{TagName: "config", Result: d, ErrorUnused: true})
	if err != nil {
		return nil, err
	}
	defer func() {
		if recover() != nil { // mapstructure wants names of fields to be texts
			err = errors.New("a field's name is not text")
		}
	}()
	return d, decoder.Decode(fields)
}
