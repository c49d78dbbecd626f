// SPDX-License-Identifier: Apache-2.0

package coordtest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers each byte with itself.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func ping(c net.Conn, wait time.Duration) error {
	c.SetDeadline(time.Now().Add(wait))
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	return err
}

func TestTheProxysFaultsAreWhatTheySay(t *testing.T) {
	p := coordtest.NewProxy(t, echo(t))
	dial := func() net.Conn {
		c, err := net.Dial("tcp", p.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	c := dial()
	if err := ping(c, 5*time.Second); err != nil {
		t.Fatalf("without a fault: %v", err)
	}

	p.BlackHole()
	if err := ping(c, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("in a black hole: %v", err)
	}
	p.Heal()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatalf("what the black hole held back did not pass: %v", err)
	}

	p.Delay(30 * time.Millisecond)
	began := time.Now()
	if err := ping(c, 5*time.Second); err != nil || time.Since(began) < 60*time.Millisecond {
		t.Fatalf("delayed by 30 ms each way: %v after %v", err, time.Since(began))
	}
	p.Heal()

	p.Cut()
	if err := ping(c, 5*time.Second); err == nil {
		t.Fatal("a connection survived the cut")
	}
	if err := ping(dial(), 5*time.Second); err == nil {
		t.Fatal("a connection was let through after the cut")
	}
	p.Heal()
	if err := ping(dial(), 5*time.Second); err != nil {
		t.Fatalf("after healing: %v", err)
	}
}
