// SPDX-License-Identifier: Apache-2.0

package tokenfile

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestARotatedTokenIsReadWithinASecondAndABadFileLeavesTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "token")
		var log bytes.Buffer
		f := New(path, slog.New(slog.NewTextHandler(&log, nil)))
		write := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(checkEvery) // of the test's clock
		}
		if got := f.Get(); got != "" {
			t.Errorf("without a file: %q", got)
		}
		for _, c := range []struct{ text, want string }{
			{" first\n", "first"}, {"the second", "the second"},
			{"", "the second"}, {"two\nlines", "the second"}, {strings.Repeat("x", maxBytes+1), "the second"},
			{"third", "third"},
		} {
			write(c.text)
			if got := f.Get(); got != c.want {
				t.Errorf("after %.20q: %q, want %q", c.text, got, c.want)
			}
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 2 {
			t.Errorf("%d warnings for two spells of a bad file:\n%s", n, log.String())
		}
		if strings.Contains(log.String(), "second") {
			t.Errorf("the log holds a token:\n%s", log.String())
		}
	})
}

func TestWhereATokenMayGo(t *testing.T) {
	for endpoint, want := range map[[2]string]bool{
		{"https", "example.com"}: true, {"http", "127.0.0.1:4317"}: true, {"http", "localhost"}: true, {"http", "[::1]:80"}: true,
		{"http", "example.com"}: false, {"http", "localhost.example.com"}: false, {"http", "10.0.0.1:80"}: false, {"", ""}: false,
	} {
		if got := MayCarry(endpoint[0], endpoint[1]); got != want {
			t.Errorf("%v: %v", endpoint, got)
		}
	}
	t.Setenv(PlaintextVariable, "allow")
	if !MayCarry("http", "example.com") {
		t.Error("the variable does not allow it")
	}
}

func BenchmarkGet(b *testing.B) {
	path := filepath.Join(b.TempDir(), "token")
	if err := os.WriteFile(path, []byte("token"), 0o600); err != nil {
		b.Fatal(err)
	}
	f := New(path, slog.Default())
	b.ReportAllocs()
	for b.Loop() {
		f.Get()
	}
}
