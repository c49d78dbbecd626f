// SPDX-License-Identifier: Apache-2.0

package etcdprovider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/otelplat/platform/coord"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

// Candidate is a document that might become the configuration.
type Candidate struct {
	Name     string
	Revision int64
	Content  []byte

	others func(ctx context.Context, name string) ([]byte, error)
}

// Factory returns a provider of the same scheme that has the candidate in place of its
// document, and of others what is in force: with it, and the locations of the running
// collector, one that is thrown away can try the candidate. It follows nothing.
func (c Candidate) Factory() confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return still{c} })
}

// still is the provider of a candidate.
type still struct{ Candidate }

func (still) Scheme() string                 { return scheme }
func (still) Shutdown(context.Context) error { return nil }

func (s still) Retrieve(ctx context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	name, err := parseURI(uri)
	if err != nil {
		return nil, err
	}
	content := s.Content
	if name != s.Name {
		if s.others == nil {
			return nil, fmt.Errorf("etcd:%s is not known beside the candidate etcd:%s", name, s.Name)
		}
		if content, err = s.others(ctx, name); err != nil {
			return nil, err
		}
	}
	return confmap.NewRetrievedFromYAML(content)
}

// parseURI returns the name of the document.
func parseURI(uri string) (string, error) {
	name, ok := strings.CutPrefix(uri, scheme+":")
	if !ok {
		return "", fmt.Errorf("%q is not etcd:NAME", uri)
	}
	if err := coord.CheckName("document", name); err != nil {
		return "", fmt.Errorf("%q is not etcd:NAME, where etcd is comes from OTELPLAT_ETCD_ENDPOINTS: %w", uri, err)
	}
	return name, nil
}

// checkSyntax refuses what is no YAML mapping: confmap would take it for a string.
func checkSyntax(content []byte) error {
	var values any
	if err := yaml.Unmarshal(content, &values); err != nil {
		return fmt.Errorf("no YAML: %w", err)
	}
	if values == nil {
		return errors.New("empty")
	}
	mapping, ok := values.(map[string]any)
	if !ok {
		return fmt.Errorf("a YAML mapping is expected at the top, not %T", values)
	}
	_, err := confmap.NewRetrieved(mapping)
	return err
}
