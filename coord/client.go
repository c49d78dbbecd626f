// SPDX-License-Identifier: Apache-2.0

package coord

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/otelplat/platform/coord/access"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
)

const (
	// DefaultEndpoint is where an etcd listens when nobody says otherwise.
	DefaultEndpoint = "http://127.0.0.1:2379"

	// DefaultRoot is the first part of every key.
	DefaultRoot = "otelplat"

	// DefaultNamespace is the second.
	DefaultNamespace = "default"

	// A connection that is quiet is asked this often, while a watch or a request is open.
	// An etcd closes one that asks more often than every 5 s, by its default, and with it
	// whatever is under way on it. Where requests are under way TCP_USER_TIMEOUT notices a
	// dead connection sooner, within keepAliveTimeout: gRPC sets it where there is one.
	keepAliveTime    = 6 * time.Second
	keepAliveTimeout = 2 * time.Second

	// maxReconnectDelay caps gRPC's back-off, whose own cap of two minutes would
	// keep a fleet from its etcd for that long after etcd is back.
	maxReconnectDelay = time.Second
)

// Client is a connection to etcd within one namespace. Safe for concurrent use.
type Client struct {
	etcd      *clientv3.Client
	root      string
	namespace string
	stateDir  string
	log       *slog.Logger
}

// Open returns a client. It reads OTELPLAT_ETCD_ENDPOINTS, _USER, _PASSWORD,
// _CA_FILE, _CERT_FILE, _KEY_FILE, OTELPLAT_ROOT, OTELPLAT_NAMESPACE and
// OTELPLAT_STATE_DIR; options go before the environment. It does not wait for etcd. Errors are about the
// configuration: a bad name ([*NameError]) or a certificate file that cannot be
// read.
func Open(opts ...Option) (*Client, error) {
	cfg := fromEnvironment()
	for _, o := range opts {
		o(&cfg)
	}
	if err := errors.Join(CheckName("root", cfg.root), CheckName("namespace", cfg.namespace)); err != nil {
		return nil, err
	}
	tlsConfig, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	etcd, err := clientv3.New(clientv3.Config{
		Endpoints:            cfg.endpoints,
		Username:             cfg.user,
		Password:             cfg.password,
		TLS:                  tlsConfig,
		DialKeepAliveTime:    keepAliveTime,
		DialKeepAliveTimeout: keepAliveTimeout,
		Logger:               zap.NewNop(), // our callers report what they could not do; the client's own log repeats it
		DialOptions: []grpc.DialOption{
			grpc.WithChainUnaryInterceptor(explainDenied(access.Namespace{Root: cfg.root, Name: cfg.namespace}, cmp.Or(cfg.user, cfg.commonName()))),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxReconnectDelay},
				MinConnectTimeout: 2 * time.Second,
			}),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{
				Time: keepAliveTime, Timeout: keepAliveTimeout,
			}),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("coord: etcd client for %s: %w", strings.Join(cfg.endpoints, ","), err)
	}
	return &Client{etcd: etcd, root: cfg.root, namespace: cfg.namespace, stateDir: cfg.stateDir, log: cfg.logger()}, nil
}

// Etcd returns the etcd client, for what the packages below do not offer. Keys
// are to be made with [Client.Key]. To follow keys use coord/mirror, never Watch.
func (c *Client) Etcd() *clientv3.Client { return c.etcd }

// Namespace returns the name of the namespace.
func (c *Client) Namespace() string { return c.namespace }

// Prefix returns the prefix of all keys of the namespace: "/otelplat/default/".
func (c *Client) Prefix() string { return "/" + c.root + "/" + c.namespace + "/" }

// Key joins parts with slashes under Prefix. It does not check them: names that
// come from outside go through [CheckName] first.
func (c *Client) Key(parts ...string) string { return c.Prefix() + strings.Join(parts, "/") }

// StateDir returns where the last known state of this process is kept, "" when it is not.
func (c *Client) StateDir() string { return c.stateDir }

// Logger returns the logger that the packages below write to; never nil.
func (c *Client) Logger() *slog.Logger { return c.log }

// Ready waits until etcd answers a linearizable read, which takes a leader and a
// quorum. It returns the context's error, wrapped with what etcd said last.
func (c *Client) Ready(ctx context.Context) error {
	delay := 20 * time.Millisecond
	for {
		try, cancel := context.WithTimeout(ctx, time.Second)
		_, err := c.etcd.Get(try, c.Key("meta", "epoch"))
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("coord: etcd at %s did not answer: %w (last: %w)", strings.Join(c.etcd.Endpoints(), ","), ctx.Err(), err)
		case <-time.After(delay):
			delay = min(2*delay, 500*time.Millisecond)
		}
	}
}

// Close ends the connection. What was opened with this client is closed before.
func (c *Client) Close() error {
	if err := c.etcd.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("coord: close: %w", err)
	}
	return nil
}

// config is what options and the environment set.
type config struct {
	endpoints                 []string
	root, namespace           string
	stateDir                  string
	user, password            string
	caFile, certFile, keyFile string
	tlsConfig                 *tls.Config
	log                       *slog.Logger
}

func (c *config) logger() *slog.Logger {
	if c.log != nil {
		return c.log
	}
	return slog.Default()
}

// commonName returns whom the client certificate is of: etcd takes it for the user.
func (c *config) commonName() string {
	if c.certFile == "" {
		return ""
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return "" // tls says so
	}
	return pair.Leaf.Subject.CommonName
}

// tls returns nil when the endpoints are plain.
func (c *config) tls() (*tls.Config, error) {
	secure := c.tlsConfig != nil || c.caFile != "" || c.certFile != ""
	for _, e := range c.endpoints {
		if strings.HasPrefix(e, "https://") {
			secure = true
		}
	}
	if !secure {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.tlsConfig != nil {
		t = c.tlsConfig.Clone()
	}
	if c.caFile != "" {
		pem, err := os.ReadFile(c.caFile)
		if err != nil {
			return nil, fmt.Errorf("coord: OTELPLAT_ETCD_CA_FILE: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("coord: OTELPLAT_ETCD_CA_FILE: %s holds no certificate", c.caFile)
		}
	}
	if (c.certFile == "") != (c.keyFile == "") {
		return nil, errors.New("coord: a client certificate needs both OTELPLAT_ETCD_CERT_FILE and OTELPLAT_ETCD_KEY_FILE")
	}
	if c.certFile != "" {
		// Read at every handshake, so that a rotated certificate is used by the
		// next connection without a restart.
		if _, err := tls.LoadX509KeyPair(c.certFile, c.keyFile); err != nil {
			return nil, fmt.Errorf("coord: client certificate: %w", err)
		}
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
			return &pair, err
		}
	}
	return t, nil
}
