// SPDX-License-Identifier: Apache-2.0

package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/embedded"
)

func start(t *testing.T, opts ...embedded.Option) *embedded.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	began := time.Now()
	s, err := embedded.Start(ctx, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if took := time.Since(began); took > 5*2*time.Second {
		t.Errorf("ready after %v, promised 2 s", took)
	} else {
		t.Logf("ready after %v", took)
	}
	return s
}

func TestItServesAndKeepsItsDataOverARestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embedded.WithDir(dir))
	put(t, s, "a")
	s.Close()
	s.Close() // idempotent

	again := start(t, embedded.WithDir(dir))
	c, err := coord.Open(coord.WithEndpoints(again.Endpoints()...))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	resp, err := c.Etcd().Get(t.Context(), "a")
	if err != nil || len(resp.Kvs) != 1 || string(resp.Kvs[0].Value) != "1" {
		t.Fatalf("after the restart: %v %v", resp, err)
	}
}

func put(t *testing.T, s *embedded.Server, key string) {
	t.Helper()
	c, err := coord.Open(coord.WithEndpoints(s.Endpoints()...))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Etcd().Put(t.Context(), key, "1"); err != nil {
		t.Fatal(err)
	}
}

func TestABusyPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = embedded.Start(t.Context(), embedded.WithDir(t.TempDir()), embedded.WithClientPort(port))
	if busy, ok := errors.AsType[*embedded.PortError](err); !ok || busy.Port != port {
		t.Fatalf("got %v, want a PortError for %d", err, port)
	}
}

func TestADirectoryThatCannotBeWrittenIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Start(t.Context(), embedded.WithDir(filepath.Join(file, "data")))
	if _, ok := errors.AsType[*embedded.DirError](err); !ok {
		t.Fatalf("got %v, want a DirError", err)
	}
}

func TestDamagedDataIsAnErrorAndNotTheEndOfTheProcess(t *testing.T) {
	for _, file := range []string{"member/snap/db", "member/wal/0000000000000000-0000000000000000.wal"} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, embedded.WithDir(dir))
			put(t, s, "a")
			s.Close()
			garbage := make([]byte, 8192)
			for i := range garbage {
				garbage[i] = byte(i * 7)
			}
			if err := os.WriteFile(filepath.Join(dir, file), garbage, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := embedded.Start(ctx, embedded.WithDir(dir))
			if _, ok := errors.AsType[*embedded.CorruptError](err); !ok {
				t.Fatalf("got %v, want a CorruptError", err)
			}
			t.Log(err)
		})
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "etcd-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	server, err := embedded.Start(ctx, embedded.WithDir(dir))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, err := coord.Open(coord.WithEndpoints(server.Endpoints()...))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(client.Ready(ctx))
	// Output: <nil>
}
