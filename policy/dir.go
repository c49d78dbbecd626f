// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/otelplat/platform/internal/wake"
)

// pollInterval is how often a folder is read. Policies are kilobytes; reading them
// costs less than following links and mounts by notification.
const pollInterval = time.Second

// Dir returns the source of a folder's policy files, read once a second. They need
// no signature: who can write them can change this process. The folder must exist
// now; one that vanishes later leaves the last bundle in force, and its age grows.
func Dir(path string) (Source, error) { return newDir(path, pollInterval) }

func newDir(path string, interval time.Duration) (*dir, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("policy: %s is not a folder", path)
	}
	run, cancel := context.WithCancel(context.Background()) // ends with Close
	d := &dir{path: path, started: time.Now(), cancel: cancel, done: make(chan struct{})}
	d.read()
	go d.run(run, interval)
	return d, nil
}

type dir struct {
	path    string
	state   atomic.Pointer[dirState]
	started time.Time
	seen    atomic.Int64 // since started: when the folder could be read last
	updates wake.Set
	cancel  context.CancelFunc
	done    chan struct{}
}

type dirState struct {
	bundle Bundle
	err    error
}

func (d *dir) run(ctx context.Context, interval time.Duration) {
	defer close(d.done)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.read()
		}
	}
}

// read takes over what the folder holds now.
func (d *dir) read() {
	next := &dirState{}
	name := filepath.Base(d.path)
	next.bundle, next.err = readFolder(name, os.DirFS(d.path))
	next.bundle.Name, next.bundle.Revision = name, digest(next.bundle.Files)
	var unfit *BundleError
	if next.err == nil || errors.As(next.err, &unfit) { // it was read, whatever it holds
		d.seen.Store(int64(time.Since(d.started)))
	}
	was := d.state.Load()
	if was != nil && was.bundle.Revision == next.bundle.Revision && fmt.Sprint(was.err) == fmt.Sprint(next.err) {
		return
	}
	d.state.Store(next)
	d.updates.Notify()
}

// digest is the revision of a folder: the first digits of a hash over names and
// contents.
func digest(files map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		_, _ = fmt.Fprintf(h, "%d %s %d ", len(name), name, len(files[name])) // a hash takes everything
		_, _ = io.WriteString(h, files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

func (d *dir) Load() (Bundle, error) {
	s := d.state.Load()
	return s.bundle, s.err
}

func (d *dir) Updates(ctx context.Context) <-chan struct{} { return d.updates.Add(ctx, wake.Always) }

func (d *dir) Age() time.Duration { return time.Since(d.started) - time.Duration(d.seen.Load()) }

func (d *dir) Close() error {
	d.cancel()
	<-d.done
	d.updates.Close()
	return nil
}
