// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
)

const (
	compactEvery = "5m"
	quota        = 2 << 30 // bytes, etcd's own default, said here because it is a bound

	// progressEvery is how often a quiet watch hears that it is current, beside
	// the answers to what mirrors ask for.
	progressEvery = 10 * time.Second

	// closeGrace is what requests get to finish when the member stops.
	closeGrace = 500 * time.Millisecond

	host = "127.0.0.1"
)

// Name is the member's name in its cluster of one.
const Name = "otelplat"

// Server is a running etcd member.
type Server struct {
	etcd      *embed.Etcd
	endpoint  string
	dir       string
	rpc       *rpcServers
	grace     time.Duration
	closeOnce sync.Once
}

// rpcServers are etcd's gRPC servers, which etcd hands out only while it
// registers its services.
type rpcServers struct {
	mu   sync.Mutex
	list []*grpc.Server
}

func (r *rpcServers) add(s *grpc.Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, s)
}

func (r *rpcServers) stop() {
	r.mu.Lock()
	list := r.list
	r.mu.Unlock()
	for _, s := range list {
		s.Stop()
	}
}

// Start starts an etcd member and returns when it answers. It returns
// [*PortError], [*DirError],
// [*InUseError] or [*CorruptError] for what a user can mend, and the
// context's error when etcd is not ready in time; in each case nothing is left
// running.
func Start(ctx context.Context, opts ...Option) (*Server, error) {
	o := options{log: zap.NewNop(), tick: 100, election: 1000, grace: closeGrace}
	for _, opt := range opts {
		opt(&o)
	}
	if o.dir == "" {
		return nil, errors.New("embedded: no data directory: use WithDir")
	}
	if err := prepareDir(o.dir); err != nil {
		return nil, err
	}
	if err := checkDatabase(o.dir); err != nil {
		return nil, err
	}
	cfg, endpoint, err := o.etcdConfig()
	if err != nil {
		return nil, err
	}
	rpc := &rpcServers{}
	cfg.ServiceRegister = rpc.add
	etcd, err := startRecovering(cfg)
	if err != nil {
		return nil, o.explain(err)
	}
	s := &Server{etcd: etcd, endpoint: endpoint, dir: o.dir, rpc: rpc, grace: o.grace}
	select {
	case <-etcd.Server.ReadyNotify():
		return s, nil
	case err := <-etcd.Err():
		s.Close()
		return nil, o.explain(err)
	case <-ctx.Done():
		s.Close()
		return nil, fmt.Errorf("embedded: etcd in %s was not ready in time: %w", o.dir, ctx.Err())
	}
}

// Endpoint returns the client URL.
func (s *Server) Endpoint() string { return s.endpoint }

// Endpoints returns the client URLs, as etcd clients take them.
func (s *Server) Endpoints() []string { return []string{s.endpoint} }

// Dir returns the data directory.
func (s *Server) Dir() string { return s.dir }

// Err returns a channel that says why the member stopped by itself.
func (s *Server) Err() <-chan error { return s.etcd.Err() }

// Close stops the member and waits until it has, which takes well under a
// second. It is idempotent.
//
// Etcd itself waits for open requests for five seconds and more, and a watch
// never ends by itself: requests get a moment here, then their streams are cut.
func (s *Server) Close() {
	s.closeOnce.Do(func() {
		cut := time.AfterFunc(s.grace, s.rpc.stop)
		defer cut.Stop()
		s.etcd.Close()
	})
}

func (o *options) etcdConfig() (*embed.Config, string, error) {
	client, err := o.address("client", o.clientPort)
	if err != nil {
		return nil, "", err
	}
	peer, err := o.address("peer", o.peerPort)
	if err != nil {
		return nil, "", err
	}
	clientURL, peerURL := url.URL{Scheme: "http", Host: client}, url.URL{Scheme: "http", Host: peer}

	if !o.tls.Empty() {
		clientURL.Scheme = "https"
	}

	cfg := embed.NewConfig()
	cfg.ClientTLSInfo = o.tls
	cfg.EnableGRPCGateway = false // it would need a client certificate of its own, and nobody here speaks JSON to etcd
	cfg.Name = Name
	cfg.Dir = o.dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{clientURL}, []url.URL{clientURL}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peerURL}, []url.URL{peerURL}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	if isInitialised(o.dir) {
		cfg.ClusterState = embed.ClusterStateFlagExisting
	}
	cfg.AutoCompactionMode = embed.CompactorModePeriodic
	cfg.AutoCompactionRetention = compactEvery
	cfg.QuotaBackendBytes = quota
	cfg.WatchProgressNotifyInterval = progressEvery
	cfg.TickMs, cfg.ElectionMs = o.tick, o.election
	cfg.UnsafeNoFsync = o.noFsync
	if o.bcryptCost > 0 {
		cfg.BcryptCost = o.bcryptCost
	}
	// A fatal error of etcd must not end the process that embeds it: it panics
	// instead, and startRecovering makes an error of the panic.
	log := o.log.WithOptions(zap.WithFatalHook(zapcore.WriteThenPanic))
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(log)
	return cfg, clientURL.String(), nil
}

// address picks a free port, or checks that the given one is free.
func (o *options) address(what string, port int) (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return "", &PortError{Port: port, What: what, err: err}
	}
	defer func() { _ = l.Close() }() // nothing was accepted
	return l.Addr().String(), nil
}

// startRecovering turns etcd's panics on a data directory that it cannot read
// into an error.
func startRecovering(cfg *embed.Config) (e *embed.Etcd, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, err = nil, &panicError{value: p}
		}
	}()
	return embed.StartEtcd(cfg)
}

type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprint(e.value) }

// prepareDir creates the data directory with the rights that etcd wants, and
// finds out now whether it can be written.
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &DirError{Dir: dir, err: err}
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return &DirError{Dir: dir, err: err}
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func isInitialised(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "member", "wal"))
	return err == nil
}
