// SPDX-License-Identifier: Apache-2.0

package routing_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"time"

	"github.com/otelplat/platform/coord/discovery"
	"github.com/otelplat/platform/coord/router"
	"github.com/otelplat/platform/coord/router/rules"
	"github.com/otelplat/platform/coord/signal"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/balancer/weightedroundrobin" // registers it
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	_ "google.golang.org/grpc/xds" // registers outlier_detection_experimental
)

const service = "work"

// contender is a way to choose a server.
type contender struct {
	name    string
	ours    bool
	config  string // gRPC's service config, of a peer
	http    bool
	signals bool
	rules   string // our document, when it is not the defaults
	long    bool   // has a turn in the benchmark only
}

// weighted is gRPC's (A58), which learns as soon as it may: its own defaults are 10 s of
// blackout and 1 s between updates.
const weighted = `{"weighted_round_robin": {"blackoutPeriod": "1s", "weightUpdatePeriod": "0.1s", "weightExpirationPeriod": "180s", "errorUtilizationPenalty": 1}}`

// outlier is gRPC's outlier detection (A50) as somebody would set it who knows this fleet, in
// which a client sends 4 requests a second to each server: evidence of a second in place of
// ten, of 4 requests in place of 100 and 50. What counts as standing out are its defaults.
const outlier = `{"outlier_detection_experimental": {"interval": "1s", "baseEjectionTime": "30s", "maxEjectionPercent": 50,
	"successRateEjection": {"stdevFactor": 1900, "enforcementPercentage": 100, "minimumHosts": 5, "requestVolume": 4},
	"failurePercentageEjection": {"threshold": 85, "enforcementPercentage": 100, "minimumHosts": 5, "requestVolume": 2},
	"childPolicy": [%s]}}`

// outlierDefaults has the defaults throughout.
const outlierDefaults = `{"outlier_detection_experimental": {"successRateEjection": {}, "failurePercentageEjection": {}, "childPolicy": [%s]}}`

// sensitive is ours for somebody who knows this fleet: one failure in five is too many.
const sensitive = `{"ejection": {"ratio": 0.2}}`

func contenders() []contender {
	config := func(policy string) string { return `{"loadBalancingConfig": [` + policy + `]}` }
	const roundRobin = `{"round_robin": {}}`
	return []contender{
		{name: "round_robin", config: config(roundRobin)},
		{name: "weighted_round_robin", config: config(weighted)},
		{name: "outlier_detection+round_robin", config: config(fmt.Sprintf(outlier, roundRobin))},
		{name: "outlier_detection+weighted_round_robin", config: config(fmt.Sprintf(outlier, weighted)), long: true},
		{name: "outlier_detection_defaults+round_robin", config: config(fmt.Sprintf(outlierDefaults, roundRobin)), long: true},
		{name: "otelplat-grpc", ours: true},
		{name: "otelplat-http", ours: true, http: true},
		{name: "otelplat-grpc-signals", ours: true, signals: true},
		{name: "otelplat-grpc-ratio-0.2", ours: true, rules: sensitive, long: true},
	}
}

// calls is a contender at work in a client.
type calls struct {
	send    func(ctx context.Context) (server string, err error) // the address of who answered
	signals *signal.MemorySource
	closers []func()
}

func (c *calls) onClose(f func()) { c.closers = append(c.closers, f) }

func (c *calls) close() {
	for _, f := range slices.Backward(c.closers) {
		f()
	}
}

// open connects a contender to the servers.
func (c contender) open(servers []listening) (*calls, error) {
	if !c.ours {
		r := manual.NewBuilderWithScheme("peers")
		var state resolver.State
		for _, s := range servers {
			state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: s.GRPC}}})
		}
		r.InitialState(state)
		w := &calls{}
		return w, w.dial("peers:///"+service, grpc.WithResolvers(r), grpc.WithDefaultServiceConfig(c.config))
	}
	w := &calls{}
	var instances []discovery.Instance
	for i, s := range servers {
		in := discovery.Instance{Service: service, ID: instanceID(i), Endpoints: []discovery.Endpoint{{Protocol: discovery.GRPC, Address: s.GRPC}}}
		if c.http {
			in.Endpoints = []discovery.Endpoint{{Protocol: discovery.HTTP, Address: s.HTTP}}
		}
		instances = append(instances, in)
	}
	table, err := discovery.Static(instances...)
	if err != nil {
		return nil, err
	}
	var opts []router.Option
	if c.signals {
		w.signals = signal.Memory()
		w.onClose(func() { _ = w.signals.Close() })
		opts = append(opts, router.WithSignals(w.signals))
	}
	if c.rules != "" {
		documents := rules.Memory()
		if err := documents.Put(service, []byte(c.rules)); err != nil {
			return w, err
		}
		w.onClose(func() { _ = documents.Close() })
		opts = append(opts, router.WithRules(documents))
	}
	r, err := router.New(table, opts...)
	if err != nil {
		return w, err
	}
	w.onClose(func() { _ = r.Close() })
	if !c.http {
		return w, w.dial("otelplat:///"+service, r.DialOptions()...)
	}
	client := &http.Client{Transport: r.Transport(nil)}
	w.onClose(client.CloseIdleConnections)
	w.send = func(ctx context.Context) (server string, err error) {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(g httptrace.GotConnInfo) { server = g.Conn.RemoteAddr().String() }})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+service+"/", nil)
		if err != nil {
			return "", err
		}
		resp, err := client.Do(req)
		if err != nil {
			return server, err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return server, err
		}
		if resp.StatusCode != http.StatusOK {
			return server, fmt.Errorf("answered %s", resp.Status)
		}
		return server, nil
	}
	return w, nil
}

func (c *calls) dial(target string, opts ...grpc.DialOption) error {
	conn, err := grpc.NewClient(target, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(
		func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
		}))...)
	if err != nil {
		return err
	}
	c.onClose(func() { _ = conn.Close() })
	client := grpc_health_v1.NewHealthClient(conn)
	c.send = func(ctx context.Context) (string, error) {
		var p peer.Peer
		_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.Peer(&p))
		if p.Addr == nil {
			return "", err
		}
		return p.Addr.String(), err
	}
	return nil
}

func instanceID(i int) string { return fmt.Sprintf("server-%d", i) }
