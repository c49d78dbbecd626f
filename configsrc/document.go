// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"context"
	"fmt"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/versioned"
)

// Document returns the layer of a configuration document in etcd, followed for as
// long as the layer lives. It need not exist. The client must outlive the layer.
func Document(c *coord.Client, name string) Source {
	f, err := versioned.Follow(context.Background(), c, versioned.Config, name)
	return &document{name: name, follower: f, err: err}
}

type document struct {
	name     string
	follower *versioned.Follower
	err      error // the name cannot be a document's
}

func (d *document) Name() string { return "document " + d.name }

func (d *document) Load() (map[string]any, int64, error) {
	if d.err != nil {
		return nil, 0, d.err
	}
	doc, ok := d.follower.Current()
	if !ok {
		// Nothing there, or nothing known: an ended context tells without waiting.
		now, cancel := context.WithCancel(context.Background())
		cancel()
		if d.follower.WaitReady(now) != nil {
			return nil, 0, ErrNotLoaded
		}
		return nil, 0, nil
	}
	values, err := parse(doc.Content)
	if err != nil {
		return nil, doc.Revision.Number, &Error{Source: d.Name(), Reason: fmt.Sprintf("revision %d %s", doc.Revision.Number, err)}
	}
	return values, doc.Revision.Number, nil
}

func (d *document) Updates(ctx context.Context) <-chan struct{} {
	if d.err != nil {
		return nil
	}
	return d.follower.Updates(ctx)
}

func (d *document) Age() time.Duration {
	if d.err != nil {
		return 0
	}
	return d.follower.Age()
}

func (d *document) Close() error {
	if d.follower == nil {
		return nil
	}
	return d.follower.Close()
}
