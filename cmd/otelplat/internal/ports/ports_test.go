// SPDX-License-Identifier: Apache-2.0

package ports_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/otelplat/platform/cmd/otelplat/internal/ports"
)

func TestABaseMovesEveryPort(t *testing.T) {
	p, err := ports.New(4300, true)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, name := range []string{ports.Etcd, ports.EtcdPeer, ports.OTLPGRPC, ports.OTLPHTTP, ports.Health, ports.Metrics, ports.Storefront} {
		n := p.Number(name)
		if n < 4300 || n >= 4300+ports.Size || seen[n] {
			t.Errorf("%s has port %d, want one of its own in 4300..%d", name, n, 4300+ports.Size-1)
		}
		seen[n] = true
	}
}

func TestWithoutTheDemoTheStorefrontTakesNoPort(t *testing.T) {
	p, err := ports.New(0, false)
	if err != nil {
		t.Fatal(err)
	}
	if n := p.Number(ports.Storefront); n != 0 {
		t.Errorf("storefront has port %d", n)
	}
	if got := p.Address(ports.OTLPGRPC); got != "127.0.0.1:4317" {
		t.Errorf("OTLP listens on %s", got)
	}
}

func TestABusyPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	base := l.Addr().(*net.TCPAddr).Port
	if base+ports.Size > 65535 {
		t.Skip("the system gave a port at the end of the range")
	}
	p, err := ports.New(base, false)
	if err != nil {
		t.Fatal(err)
	}
	var busy *ports.BusyError
	if err := p.Check(t.Context()); !errors.As(err, &busy) || busy.Ports[0].Name != ports.Etcd || busy.Ports[0].Number != base {
		t.Fatalf("got %v, want etcd's port %d named as busy", err, base)
	}
	if busy.Free == 0 || busy.Free == base {
		t.Errorf("proposes base %d", busy.Free)
	}
	if msg := busy.Error(); !strings.Contains(msg, "(etcd)") {
		t.Errorf("message %q does not say whose port it is", msg)
	}
}

func TestABaseOutOfRangeIsRefused(t *testing.T) {
	for _, base := range []int{-1, 80, 65530} {
		if _, err := ports.New(base, false); err == nil {
			t.Errorf("base %d was accepted", base)
		}
	}
}
