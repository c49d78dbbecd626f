// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/coord"
	"github.com/spf13/cobra"
)

// target is which etcd a command works on.
type target struct {
	endpoints []string
	namespace string
	dataDir   string
	timeout   time.Duration
}

func (t *target) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&t.endpoints, "endpoints", nil, "etcd's client URLs (OTELPLAT_ETCD_ENDPOINTS; else those of the running up)")
	f.StringVar(&t.namespace, "namespace", "", "namespace (OTELPLAT_NAMESPACE)")
	f.StringVar(&t.dataDir, "data-dir", datadir.Default, "data directory of a running up")
	f.DurationVar(&t.timeout, "timeout", 5*time.Second, "how long etcd may take to answer")
}

// named reports whether somebody named an etcd; otherwise it is that of a running up.
func (t *target) named() bool {
	return len(t.endpoints) > 0 || os.Getenv("OTELPLAT_ETCD_ENDPOINTS") != ""
}

// open connects and makes sure that etcd answers. The caller closes the client.
func (t *target) open(ctx context.Context) (*coord.Client, error) {
	opts := []coord.Option{coord.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))}
	endpoints, namespace := t.endpoints, t.namespace
	if !t.named() {
		running, err := datadir.At(t.dataDir).Running()
		if err != nil {
			return nil, err
		}
		endpoints, namespace = []string{running.Etcd}, cmp.Or(namespace, running.Namespace)
	}
	opts = append(opts, coord.WithEndpoints(endpoints...))
	if namespace != "" {
		opts = append(opts, coord.WithNamespace(namespace))
	}
	c, err := coord.Open(opts...)
	if err != nil {
		return nil, err
	}
	try, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	if err := c.Ready(try); err != nil {
		_ = c.Close() // nothing was opened on it
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if code, _ := explain(err); code == ExitUnauthenticated || code == ExitDenied {
			return nil, err // it answers, and says no
		}
		return nil, &UnavailableError{who: "etcd at " + strings.Join(c.Etcd().Endpoints(), ", "), err: err}
	}
	return c, nil
}
