// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/embedded"
	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/coord/mirror"
)

// A fleet whose etcd is restored from a backup: mirrors come to what the backup has, by a
// revision that is higher than any they saw, and a token is still greater than those before.
func TestARestoredEtcdIsNoticedByAll(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	start := func(dir string, port int) *embedded.Server {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		server, err := embedded.Start(ctx, embedded.WithDir(dir), embedded.WithClientPort(port), embedded.ForTests())
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
	run := func(args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := Main(args, &stdout, &stderr); code != 0 {
			t.Fatalf("%v: code %d: %s", args, code, &stderr)
		}
	}
	first := start(filepath.Join(dir, "first"), 0)
	u, err := url.Parse(first.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	client, err := coord.Open(coord.WithEndpoints(first.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	m, err := mirror.Open(ctx, client, "kv/", func(_ string, v []byte) (string, error) { return string(v), nil })
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	put := func(key string) {
		t.Helper()
		if _, err := client.Etcd().Put(ctx, client.Key("kv", key), "v"); err != nil {
			t.Fatal(err)
		}
	}
	locked := func() lock.Token {
		t.Helper()
		locks := lock.Open(client)
		defer locks.Close()
		held, err := locks.Lock(ctx, "l")
		if err != nil {
			t.Fatal(err)
		}
		return held.Token()
	}
	has := func(keys ...string) {
		t.Helper()
		coordtest.Eventually(t, 30*time.Second, func() bool {
			if m.Len() != len(keys) {
				return false
			}
			for _, key := range keys {
				if _, ok := m.Get(key); !ok {
					return false
				}
			}
			return true
		}, "the mirror has %v", keys)
	}
	put("kept")
	backup := filepath.Join(dir, "backup.db")
	run("etcd", "backup", backup, "--endpoints", first.Endpoint())
	for range 100 {
		put("lost")
	}
	has("kept", "lost")
	before, revision := locked(), m.Revision()
	first.Close()
	run("etcd", "restore", backup, "--to", filepath.Join(dir, "second"))
	second := start(filepath.Join(dir, "second"), port)
	defer second.Close()
	has("kept")
	if m.Revision() <= revision {
		t.Errorf("revision %d after %d", m.Revision(), revision)
	}
	after := locked()
	if after.Epoch == before.Epoch && after.Revision <= before.Revision {
		t.Errorf("token %d after %d", after.Revision, before.Revision)
	}
	put("new")
	has("kept", "new")
	t.Logf("epoch %q and %q, token %d and %d", before.Epoch, after.Epoch, before.Revision, after.Revision)
}
