// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/otelplat/platform/otelplat/event/jetstream"
)

// A server that takes a connection and says nothing holds jetstream.Open up for the connect
// timeout; whoever interrupts the command does not wait for that.
func TestConnectingToNATSCanBeInterrupted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	taken := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			taken <- c
		}
		interrupt()
	}()
	from := natsTarget{url: "nats://" + l.Addr().String(), namespace: "test", timeout: time.Minute}
	began := time.Now()
	if _, err := from.open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was interrupted", err)
	}
	if took := time.Since(began); took >= jetstream.DefaultConnectTimeout {
		t.Errorf("it took %v", took)
	}
	(<-taken).Close()
}

func TestConnectingToNATSTakesNoLongerThanAsked(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	from := natsTarget{url: "nats://" + l.Addr().String(), namespace: "test", timeout: 100 * time.Millisecond}
	began := time.Now()
	_, err = from.open(t.Context())
	if e, ok := errors.AsType[*UnavailableError](err); !ok || !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("got %v, want that NATS does not answer", err)
	}
	if took := time.Since(began); took > 100*time.Millisecond+2*closeWait {
		t.Errorf("it took %v", took)
	}
}
