// SPDX-License-Identifier: Apache-2.0

package boltkv_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/kv"
	"github.com/otelplat/platform/coord/lock"
	"github.com/otelplat/platform/examples/plugin/boltkv"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string) kv.Backend {
	t.Helper()
	b, err := boltkv.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// This is all that a backend from outside needs to know that it is one.
func TestItConforms(t *testing.T) {
	coordtest.KV(t, func(t *testing.T) (kv.Backend, lock.Locker) {
		return open(t, filepath.Join(t.TempDir(), "kv.db")), lock.Memory()
	})
}

func TestKeysRevisionsAndTTLsAreThereAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.db")
	store := kv.New(open(t, path))
	kept, err := store.Put(t.Context(), "kept", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "session", []byte("1"), kv.WithTTL(time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	store = kv.New(open(t, path))
	defer store.Close()
	if e, err := store.Get(t.Context(), "kept"); err != nil || string(e.Value) != "1" || e.Revision != kept {
		t.Errorf("got %+v, %v, want what was written at %d", e, err, kept)
	}
	if next, err := store.Put(t.Context(), "kept", []byte("2")); err != nil || next <= kept {
		t.Errorf("a write at %d, %v, after one at %d", next, err, kept)
	}
	coordtest.Eventually(t, 20*time.Second, func() bool {
		_, err := store.Get(t.Context(), "session")
		return errors.Is(err, kv.ErrNotFound)
	}, "a key that had a TTL before the restart vanishes")
}

func TestAfterCloseNothingIsReadOrWritten(t *testing.T) {
	store := kv.New(open(t, filepath.Join(t.TempDir(), "kv.db")))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get(t.Context(), "a"); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	if _, err := store.List(t.Context(), kv.Query{}); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("List: %v", err)
	}
	if _, err := store.Put(t.Context(), "a", nil); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Put: %v", err)
	}
}

func TestTwoProcessesCannotHaveTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.db")
	first := open(t, path)
	defer first.Close()
	if second, err := boltkv.Open(path); err == nil {
		second.Close()
		t.Error("the file was opened twice")
	}
}
