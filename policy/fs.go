// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"io/fs"
	"time"
)

// FS returns the source of the policy files of a file system, such as an embed.FS: for
// policies that are part of a program. They are read once.
func FS(name string, files fs.FS) (Source, error) {
	b, err := readFolder(name, files)
	if err != nil {
		return nil, err
	}
	b.Name, b.Revision = name, digest(b.Files)
	m := &Memory{}
	m.Set(b)
	return &fixed{m}, nil
}

// fixed is a source that nobody can set.
type fixed struct{ memory *Memory }

func (f *fixed) Load() (Bundle, error) { return f.memory.Load() }

func (f *fixed) Updates(ctx context.Context) <-chan struct{} { return f.memory.Updates(ctx) }

func (f *fixed) Age() time.Duration { return 0 }

func (f *fixed) Close() error { return f.memory.Close() }
