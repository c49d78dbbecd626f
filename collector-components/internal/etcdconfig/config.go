// SPDX-License-Identifier: Apache-2.0

// Package etcdconfig is how the components of the collector are told where etcd
// is. Whatever is left out comes from the OTELPLAT_* environment variables that
// coord.Open reads, and then has its defaults.
package etcdconfig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"

	"github.com/otelplat/platform/coord"
	"go.opentelemetry.io/collector/config/configopaque"
)

// Config is the etcd block of a component's configuration.
type Config struct {
	// Endpoints are client URLs, such as http://127.0.0.1:2379.
	Endpoints []string `mapstructure:"endpoints"`

	// Root and Namespace are the first two parts of every key.
	Root      string `mapstructure:"root"`
	Namespace string `mapstructure:"namespace"`

	// User and Password are those of etcd's own authentication.
	User     string              `mapstructure:"user"`
	Password configopaque.String `mapstructure:"password"`

	// CAFile, CertFile and KeyFile are PEM files: the authority of etcd's
	// certificate, and the collector's certificate and key.
	CAFile   string `mapstructure:"ca_file"`
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	for _, e := range c.Endpoints {
		u, err := url.Parse(e)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			errs = append(errs, fmt.Errorf("endpoint %q is not http://host:port or https://host:port", e))
		}
	}
	if c.Root != "" {
		errs = append(errs, coord.CheckName("root", c.Root))
	}
	if c.Namespace != "" {
		errs = append(errs, coord.CheckName("namespace", c.Namespace))
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		errs = append(errs, errors.New("cert_file and key_file go together"))
	}
	if (c.User == "") != (c.Password == "") {
		errs = append(errs, errors.New("user and password go together"))
	}
	return errors.Join(errs...)
}

// Open returns a client. It does not wait for etcd. The caller closes it.
func (c *Config) Open(_ context.Context, log *slog.Logger, more ...coord.Option) (*coord.Client, error) {
	opts := []coord.Option{coord.WithLogger(log), coord.WithEndpoints(c.Endpoints...)}
	if c.Root != "" {
		opts = append(opts, coord.WithRoot(c.Root))
	}
	if c.Namespace != "" {
		opts = append(opts, coord.WithNamespace(c.Namespace))
	}
	if c.User != "" {
		opts = append(opts, coord.WithUser(c.User, string(c.Password)))
	}
	if c.CAFile != "" || c.CertFile != "" {
		opts = append(opts, coord.WithTLSFiles(
			cmp.Or(c.CAFile, os.Getenv("OTELPLAT_ETCD_CA_FILE")),
			cmp.Or(c.CertFile, os.Getenv("OTELPLAT_ETCD_CERT_FILE")),
			cmp.Or(c.KeyFile, os.Getenv("OTELPLAT_ETCD_KEY_FILE"))))
	}
	return coord.Open(append(opts, more...)...)
}
