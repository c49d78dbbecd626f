// SPDX-License-Identifier: Apache-2.0

package db_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/db"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		os.Exit(child(path))
	}
	goleak.VerifyTestMain(m)
}

func sqliteBackend(t *testing.T) db.Backend {
	t.Helper()
	b, err := db.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSQLiteConforms(t *testing.T) { coordtest.DB(t, sqliteBackend) }

func TestMemoryConforms(t *testing.T) {
	coordtest.DB(t, func(*testing.T) db.Backend { return db.MemoryBackend() })
}
