// SPDX-License-Identifier: Apache-2.0

package coordtest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP proxy in front of one address, whose faults a test sets. It
// lives until the test ends. Safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	ctx      context.Context // the proxy's lifetime
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	stall  chan struct{} // closed when traffic may pass
	delay  time.Duration
	refuse bool
}

// NewProxy starts a proxy in front of the target address.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("coordtest: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	open := make(chan struct{})
	close(open)
	p := &Proxy{target: target, listener: l, ctx: ctx, conns: make(map[net.Conn]struct{}), stall: open}
	p.wg.Add(1)
	go p.accept()
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		p.closeConns()
		p.wg.Wait()
	})
	return p
}

// Endpoint returns the proxy's URL for an etcd client.
func (p *Proxy) Endpoint() string { return "http://" + p.listener.Addr().String() }

// Address returns the proxy's host and port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Cut closes all connections and refuses new ones until [Proxy.Heal].
func (p *Proxy) Cut() {
	p.mu.Lock()
	p.refuse = true
	p.mu.Unlock()
	p.closeConns()
}

// BlackHole keeps connections open and lets nothing through, in either direction,
// until [Proxy.Heal]: a partition as a client sees it.
func (p *Proxy) BlackHole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unstall()
	p.stall = make(chan struct{})
}

// Delay holds each chunk of data back for d, in both directions.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Heal ends all faults. What a black hole held back passes.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse, p.delay = false, 0
	p.unstall()
}

func (p *Proxy) unstall() {
	select {
	case <-p.stall:
	default:
		close(p.stall)
	}
}

func (p *Proxy) accept() {
	defer p.wg.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		if !p.track(client) {
			_ = client.Close()
			continue
		}
		p.wg.Add(1)
		go p.serve(client)
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer p.wg.Done()
	defer p.untrack(client)
	var d net.Dialer
	server, err := d.DialContext(p.ctx, "tcp", p.target)
	if err != nil || !p.track(server) {
		return
	}
	defer p.untrack(server)
	done := make(chan struct{}, 2)
	p.wg.Add(2)
	go p.pipe(server, client, done)
	go p.pipe(client, server, done)
	<-done // one direction ended: end the other, by closing both
}

func (p *Proxy) pipe(dst, src net.Conn, done chan<- struct{}) {
	defer p.wg.Done()
	defer func() { done <- struct{}{} }()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if err != nil || !p.pass() {
			return
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return
		}
	}
}

// pass waits for as long as the faults say.
func (p *Proxy) pass() bool {
	p.mu.Lock()
	stall, delay := p.stall, p.delay
	p.mu.Unlock()
	select {
	case <-stall:
	case <-p.ctx.Done():
		return false
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-p.ctx.Done():
			return false
		}
	}
	return true
}

func (p *Proxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse || p.ctx.Err() != nil {
		_ = c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) untrack(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	_ = c.Close()
}

func (p *Proxy) closeConns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}
