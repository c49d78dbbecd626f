// SPDX-License-Identifier: Apache-2.0

// Package statefile replaces a file so that it is the old one or the new one whatever
// happens, and only its owner can read it.
package statefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write replaces the file at path by what f writes, through a rename. It makes the folder.
func Write(path string, f func(io.Writer) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".saving-*") // mode 0600
	if err != nil {
		return err
	}
	err = f(file)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// Read returns a file of at most so many bytes.
func Read(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes exceed %d", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}
