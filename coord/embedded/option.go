// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"crypto/tls"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.uber.org/zap"
)

type options struct {
	dir                  string
	clientPort, peerPort int
	noFsync              bool
	bcryptCost           uint // 0: etcd's own
	tick, election       uint // milliseconds
	grace                time.Duration
	log                  *zap.Logger
	tls                  transport.TLSInfo
}

// Option configures [Start].
type Option func(*options)

// WithDir sets the data directory, which is created with mode 0700. Required.
func WithDir(dir string) Option { return func(o *options) { o.dir = dir } }

// WithClientPort sets the loopback port for clients; 0, the default, takes a
// free one.
func WithClientPort(port int) Option { return func(o *options) { o.clientPort = port } }

// WithPeerPort sets the loopback port on which etcd insists although it has no
// peers; 0, the default, takes a free one.
func WithPeerPort(port int) Option { return func(o *options) { o.peerPort = port } }

// WithTLS serves clients over TLS 1.2 or later with this certificate, in PEM files that are
// read again for each connection. With an authority every client needs a certificate that
// it signed; etcd takes its common name for the user's.
func WithTLS(certFile, keyFile, clientCAFile string) Option {
	return func(o *options) {
		o.tls = transport.TLSInfo{
			CertFile: certFile, KeyFile: keyFile, TrustedCAFile: clientCAFile, ClientCertAuth: clientCAFile != "",
			MinVersion: tls.VersionTLS12,
		}
	}
}

// ForTests makes writes several times faster and starts several times faster, at
// the price of what was acknowledged when the machine (not the process) dies: no
// fsync, an election after 50 ms, no patience with requests at Close, passwords hashed at
// the least cost.
func ForTests() Option {
	return func(o *options) {
		o.noFsync, o.tick, o.election, o.grace, o.bcryptCost = true, 10, 50, 10*time.Millisecond, 4
	}
}

// WithLogger sets etcd's own logger, which is silent otherwise.
func WithLogger(l *zap.Logger) Option { return func(o *options) { o.log = l } }
