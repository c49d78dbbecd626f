// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/mirror"
)

// savedFile returns the only file below a state directory.
func savedFile(t *testing.T, dir string) string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) != 1 {
		t.Fatalf("files %v, %v; want one", found, err)
	}
	return found[0]
}

func TestASavedStateIsThereWhenEtcdIsNot(t *testing.T) {
	s := coordtest.Etcd(t)
	dir := t.TempDir()
	c := coordtest.Client(t, s, coord.WithStateDir(dir))
	put(t, c, "a", "1")
	put(t, c, "b", "2")
	m := open(t, c, mirror.WithSavedState())
	ready(t, m)
	put(t, c, "b", "x") // does not decode: the last good one is what is saved
	put(t, c, "c", "3")
	follows(t, m, map[string]int{"a": 1, "b": 2, "c": 3})
	revision, epoch := m.Revision(), m.Epoch()
	m.Close()
	info, err := os.Stat(savedFile(t, dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, want mode 0600", info, err)
	}

	s.Stop()
	m = open(t, c, mirror.WithSavedState())
	ready(t, m)
	if got := contents(m); !maps.Equal(got, map[string]int{"a": 1, "b": 2, "c": 3}) {
		t.Errorf("with etcd away: %v", got)
	}
	if m.Revision() != revision || m.Epoch() != epoch {
		t.Errorf("revision %d of %s, saved was %d of %s", m.Revision(), m.Epoch(), revision, epoch)
	}
	if m.Age() < time.Hour {
		t.Errorf("a saved state has age %v, though nobody knows", m.Age())
	}
	s.Start()
	put(t, c, "b", "4")
	follows(t, m, map[string]int{"a": 1, "b": 4, "c": 3})
	if m.Epoch() != epoch {
		t.Errorf("epoch %s, want %s", m.Epoch(), epoch)
	}
}

func TestAnEtcdThatLostItsDataMeanwhileIsANewEpochToASavedState(t *testing.T) {
	s := coordtest.Etcd(t)
	c := coordtest.Client(t, s, coord.WithStateDir(t.TempDir()))
	for range 20 {
		put(t, c, "lost", "1")
	}
	m := open(t, c, mirror.WithSavedState())
	ready(t, m)
	epoch := m.Epoch()
	m.Close()
	s.Stop()
	s.Wipe()
	s.Start()
	m = open(t, c, mirror.WithSavedState())
	follows(t, m, map[string]int{})
	if m.Epoch() == epoch {
		t.Errorf("still epoch %s", epoch)
	}
}

func TestADamagedFileIsIgnoredWhole(t *testing.T) {
	s := coordtest.Etcd(t)
	dir := t.TempDir()
	c := coordtest.Client(t, s, coord.WithStateDir(dir))
	put(t, c, "a", "1")
	m := open(t, c, mirror.WithSavedState())
	ready(t, m)
	m.Close()
	path := savedFile(t, dir)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	for name, damage := range map[string]func([]byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"cut short":       func(b []byte) []byte { return b[:len(b)-1] },
		"one bit flipped": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"longer":          func(b []byte) []byte { return append(b, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, damage([]byte(string(good))), 0o600); err != nil {
				t.Fatal(err)
			}
			m := open(t, c, mirror.WithSavedState())
			if m.Len() != 0 || m.Revision() != 0 {
				t.Errorf("%d keys at revision %d from a damaged file", m.Len(), m.Revision())
			}
		})
	}
}

func TestWithoutAStateDirectoryNothingIsSaved(t *testing.T) {
	s := coordtest.Etcd(t)
	m := open(t, coordtest.Client(t, s, coord.WithStateDir("")), mirror.WithSavedState())
	ready(t, m)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
