// SPDX-License-Identifier: Apache-2.0

package statefile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/otelplat/platform/internal/statefile"
)

func TestAFileIsTheOldOneOrTheNewOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "state")
	write := func(text string, err error) error {
		return statefile.Write(path, func(w io.Writer) error {
			_, _ = io.WriteString(w, text)
			return err
		})
	}
	if err := write("one", nil); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := write("half", broken); !errors.Is(err, broken) {
		t.Errorf("a write that breaks: %v", err)
	}
	if text, err := statefile.Read(path, 3); err != nil || string(text) != "one" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := statefile.Read(path, 2); err == nil {
		t.Error("a file that is too large was read")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
