// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestALogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "child.log")
	l, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	line := append(bytes.Repeat([]byte("x"), 1<<20-1), '\n')
	for range 30 {
		if _, err := l.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = l.Write([]byte("the last line\n\n"))
	if got := l.reason(); got != "the last line" {
		t.Errorf("reason %q", got)
	}
	_, _ = l.Write([]byte("error: no such key\nhint: make one\n"))
	if got := l.reason(); got != "no such key" {
		t.Errorf("reason %q", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v: want the log and the one before", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() > maxLogBytes {
			t.Errorf("%s: %d bytes, %v: want at most %d", f, info.Size(), err, maxLogBytes)
		}
	}
}

func TestAFreshLogHasNoReason(t *testing.T) {
	l, err := openLog(filepath.Join(t.TempDir(), "child.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := l.reason(); got != "" {
		t.Errorf("reason %q", got)
	}
}
