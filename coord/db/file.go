// SPDX-License-Identifier: Apache-2.0

package db

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// header is how every file of SQLite begins.
const header = "SQLite format 3\x00"

// prepareFile makes the file and its directory if they are not there, for nobody
// but the process's user, and looks at the first bytes of one that is: SQLite
// would write to the log of a damaged file before it finds the damage.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return makeFile(path)
	}
	if err != nil {
		return fmt.Errorf("db: open: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return &InputError{"", "location", "is not a regular file", 0}
	}
	begin := make([]byte, len(header))
	switch n, err := io.ReadFull(f, begin); {
	case n == 0 && errors.Is(err, io.EOF): // made, and nothing written yet
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("db: open: %w", err)
	case string(begin) != header:
		return fmt.Errorf("%w: %s does not begin as a file of SQLite", ErrCorrupt, path)
	}
	return nil
}

// makeFile makes an empty file and the directories above it, and syncs what names
// them: SQLite syncs the directory of the file only.
func makeFile(path string) error {
	if err := makeDirectory(filepath.Dir(path)); err != nil {
		return fmt.Errorf("db: open: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is the caller's
	if err != nil {
		return fmt.Errorf("db: open: %w", err)
	}
	if err := errors.Join(f.Close(), syncDirectory(filepath.Dir(path))); err != nil {
		return fmt.Errorf("db: open: %w", err)
	}
	return nil
}

func makeDirectory(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDirectory(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDirectory(parent)
}

func syncDirectory(path string) error {
	d, err := os.Open(path) //nolint:gosec // the path is the caller's
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
