// SPDX-License-Identifier: Apache-2.0

package coord

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"os"
	"strings"
)

// Option configures [Open]. An option goes before the environment variable that
// it names.
type Option func(*config)

// WithEndpoints sets etcd's client URLs (OTELPLAT_ETCD_ENDPOINTS, separated by
// commas; [DefaultEndpoint]). Empty means the default.
func WithEndpoints(endpoints ...string) Option {
	return func(c *config) {
		if len(endpoints) > 0 {
			c.endpoints = endpoints
		}
	}
}

// WithRoot sets the first part of every key (OTELPLAT_ROOT; [DefaultRoot]).
func WithRoot(root string) Option { return func(c *config) { c.root = root } }

// WithNamespace sets the second part of every key (OTELPLAT_NAMESPACE;
// [DefaultNamespace]). Namespaces share nothing.
func WithNamespace(namespace string) Option { return func(c *config) { c.namespace = namespace } }

// WithStateDir sets a directory for the last known state (OTELPLAT_STATE_DIR; none): what
// is discovered and configured is kept there, readable by the owner only, so that the next
// start of this process works while etcd is away. Each process of a machine has one of its
// own.
func WithStateDir(dir string) Option { return func(c *config) { c.stateDir = dir } }

// WithTLS sets the TLS configuration, which is cloned. Versions below 1.2 are
// the caller's to exclude.
func WithTLS(t *tls.Config) Option { return func(c *config) { c.tlsConfig = t } }

// WithTLSFiles sets PEM files: the authority that signed etcd's certificate, and
// this client's certificate and key, both or neither (OTELPLAT_ETCD_CA_FILE,
// OTELPLAT_ETCD_CERT_FILE, OTELPLAT_ETCD_KEY_FILE). The certificate is read again
// for each new connection.
func WithTLSFiles(ca, cert, key string) Option {
	return func(c *config) { c.caFile, c.certFile, c.keyFile = ca, cert, key }
}

// WithUser sets the user and password of etcd's own authentication
// (OTELPLAT_ETCD_USER, OTELPLAT_ETCD_PASSWORD).
func WithUser(user, password string) Option {
	return func(c *config) { c.user, c.password = user, password }
}

// WithLogger sets the logger of this client and of what is opened with it;
// [slog.Default] otherwise.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.log = l } }

func fromEnvironment() config {
	return config{
		endpoints: splitList(cmp.Or(os.Getenv("OTELPLAT_ETCD_ENDPOINTS"), DefaultEndpoint)),
		root:      cmp.Or(os.Getenv("OTELPLAT_ROOT"), DefaultRoot),
		namespace: cmp.Or(os.Getenv("OTELPLAT_NAMESPACE"), DefaultNamespace),
		stateDir:  os.Getenv("OTELPLAT_STATE_DIR"),
		user:      os.Getenv("OTELPLAT_ETCD_USER"),
		password:  os.Getenv("OTELPLAT_ETCD_PASSWORD"),
		caFile:    os.Getenv("OTELPLAT_ETCD_CA_FILE"),
		certFile:  os.Getenv("OTELPLAT_ETCD_CERT_FILE"),
		keyFile:   os.Getenv("OTELPLAT_ETCD_KEY_FILE"),
	}
}

// SignalEndpoints returns the endpoints that OTELPLAT_SIGNAL_ENDPOINTS names, for
// fleets whose signals live in an etcd of their own; none when it is not set,
// which [WithEndpoints] takes for "as everything else".
func SignalEndpoints() []string { return splitList(os.Getenv("OTELPLAT_SIGNAL_ENDPOINTS")) }

func splitList(s string) []string {
	var list []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
