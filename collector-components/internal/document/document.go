// SPDX-License-Identifier: Apache-2.0

// Package document is how components of the collector follow a document that
// operators change while the collector runs: budgets, the catalogue, the registry of
// conventions. It is a file, or a document of `otelplat config put` in etcd, read
// through package configsrc: typed, whole or not at all, and the last good one stays
// in force when a new one is bad or its source is away.
package document

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/otelplat/platform/collector-components/internal/etcdconfig"
	"github.com/otelplat/platform/configsrc"
	"github.com/otelplat/platform/coord"
)

// Config says where a document is: in a file, or in etcd under a name.
type Config struct {
	// File is a path; changes are seen within a second.
	File string `mapstructure:"file"`

	// Name is that of a document in etcd, config/<name> of the namespace.
	Name string `mapstructure:"name"`

	// Etcd is where the document is.
	Etcd *etcdconfig.Config `mapstructure:"etcd"`
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	switch {
	case c.File == "" && c.Name == "":
		return errors.New("one of file and name is required")
	case c.File != "" && (c.Name != "" || c.Etcd != nil):
		return errors.New("file goes without name and etcd")
	case c.File != "":
		return nil
	case c.Etcd == nil:
		return errors.New("name needs etcd")
	}
	return coord.CheckName("name", c.Name)
}

// Live is a document of type T that is followed until Close. Get takes no lock.
type Live[T any] struct {
	*configsrc.Live[T]
	client *coord.Client // nil for a file
}

// Open follows the document. What it leaves out has the defaults' values. A file has
// to be readable and good; for etcd it does not wait, and until the document was read
// the defaults are in force.
func Open[T any](ctx context.Context, c *Config, defaults T, log *slog.Logger) (*Live[T], error) {
	if c.File != "" {
		live, err := configsrc.Open(ctx, defaults, configsrc.File(c.File))
		if err != nil {
			return nil, fmt.Errorf("document: %w", err)
		}
		return &Live[T]{Live: live}, nil
	}
	client, err := c.Etcd.Open(ctx, log)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	live, err := configsrc.Open(ctx, defaults, configsrc.Document(client, c.Name))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("document: %w", err), client.Close())
	}
	return &Live[T]{Live: live, client: client}, nil
}

// Client returns the connection to etcd; nil for a file.
func (l *Live[T]) Client() *coord.Client { return l.client }

// Close ends following, and waits. The last document can still be read.
func (l *Live[T]) Close() error {
	err := l.Live.Close()
	if l.client != nil {
		err = errors.Join(err, l.client.Close())
	}
	return err
}
